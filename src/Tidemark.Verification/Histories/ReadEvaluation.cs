namespace Tidemark.Verification;

/// <summary>How a read, as explained by one timeline, relates to each guarantee that it required.</summary>
/// <param name="Written">Relation to what its session wrote.</param>
/// <param name="Observed">Relation to what the reads of its session showed, and had to contain.</param>
/// <param name="Fresh">Relation to what was acknowledged longer ago than its staleness bound.</param>
/// <param name="Prefix">Relation to what the read itself shows. Always contained on a replica that it fits.</param>
internal readonly record struct ReadEvaluation(Containment Written, Containment Observed, Containment Fresh, Containment Prefix)
{
    public bool HasLost => Written == Containment.WentOnWithout || Observed == Containment.WentOnWithout;

    public bool IsNotYetVisible =>
        Written == Containment.NotYetVisible || Observed == Containment.NotYetVisible || Prefix == Containment.NotYetVisible;

    public Containment Worst => (Containment)int.Max(int.Max((int)Written, (int)Observed), int.Max((int)Fresh, (int)Prefix));

    public static ReadEvaluation Of(ReadFit fit, in Operation read, SessionWatermarks sessions, Watermark fresh, VisibleCommits visible)
    {
        var written = read.Asks(ReadGuarantees.ReadYourWrites)
            ? fit.Against(sessions.Written(read.Client), visible, read.Start) : Containment.Contains;
        var seen = read.Asks(ReadGuarantees.MonotonicReads)
            ? fit.Against(sessions.Observed(read.Client), visible, read.Start) : Containment.Contains;

        // What earlier reads had to contain is checked last: a missed write must not be reported a second time through those reads.
        if (read.Asks(ReadGuarantees.MonotonicReads) && written != Containment.Misses && seen != Containment.Misses)
            seen = (Containment)int.Max((int)seen, (int)fit.Against(sessions.Carried(read.Client), visible, read.Start));

        // A commit that history continued without does not make a read stale. Only a commit that is missed does.
        var freshness = read.MaxStaleness >= 0 ? fit.Against(fresh, visible, read.Start) : Containment.Contains;
        return new ReadEvaluation(written, seen, freshness, fit.AgainstItself(visible, read.Start));
    }
}

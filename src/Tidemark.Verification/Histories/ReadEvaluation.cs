namespace Tidemark.Verification;

/// <summary>How a read, explained by one timeline, stands to each promise it asked for.</summary>
/// <param name="Written">To what its session wrote.</param>
/// <param name="Seen">To what its session's reads showed, and had to contain.</param>
/// <param name="Fresh">To what was acknowledged longer ago than its bound.</param>
/// <param name="Prefix">To what it shows itself; always contained on a replica that it fits.</param>
internal readonly record struct ReadEvaluation(Containment Written, Containment Seen, Containment Fresh, Containment Prefix)
{
    public bool HasLost => Written == Containment.WentOnWithout || Seen == Containment.WentOnWithout;

    public bool IsNotYetVisible =>
        Written == Containment.NotYetVisible || Seen == Containment.NotYetVisible || Prefix == Containment.NotYetVisible;

    public Containment Worst => (Containment)int.Max(int.Max((int)Written, (int)Seen), int.Max((int)Fresh, (int)Prefix));

    public static ReadEvaluation Of(ReadFit fit, in Operation read, SessionWatermarks sessions, Watermark fresh, VisibleCommits visible)
    {
        var written = read.Asks(ReadGuarantees.ReadYourWrites)
            ? fit.Against(sessions.Written(read.Client), visible, read.Start) : Containment.Contains;
        var seen = read.Asks(ReadGuarantees.MonotonicReads)
            ? fit.Against(sessions.Seen(read.Client), visible, read.Start) : Containment.Contains;

        // What earlier reads had to contain is asked for last: a write that is missed by itself is not missed a second time through them.
        if (read.Asks(ReadGuarantees.MonotonicReads) && written != Containment.Misses && seen != Containment.Misses)
            seen = (Containment)int.Max((int)seen, (int)fit.Against(sessions.Carried(read.Client), visible, read.Start));

        // What history went on without makes nothing stale; only what is missed does.
        var freshness = read.MaxStaleness >= 0 ? fit.Against(fresh, visible, read.Start) : Containment.Contains;
        return new ReadEvaluation(written, seen, freshness, fit.AgainstItself(visible, read.Start));
    }
}

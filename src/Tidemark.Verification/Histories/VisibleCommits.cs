namespace Tidemark.Verification;

/// <summary>
/// The time from which each commit was certainly visible on the primary that made it. An acknowledged commit is visible, and so is one
/// whose server process has ended. A row lock is held until the end of its transaction is visible. Therefore a later version of the same
/// row on the same timeline proves that all earlier ones are visible. Immutable.
/// </summary>
internal sealed class VisibleCommits
{
    private readonly long[] _since;

    public VisibleCommits(History history)
    {
        var versions = history.Versions;
        _since = new long[HasPrimaryRead(history.Columns.Operations) ? versions.Count : 0];

        // From the last version of each key to the first: the earliest proof so far on each timeline.
        var earliest = new (int Key, long Time)[history.Tree.Count];
        Array.Fill(earliest, (-1, 0));
        for (var i = _since.Length - 1; i >= 0; i--)
        {
            ref readonly var version = ref versions[i];
            ref var proof = ref earliest[version.Timeline];
            var since = long.Min(history.AcknowledgedAt(i), history.SettledAt(version.Writer));
            if (proof.Key == version.Key) since = long.Min(since, proof.Time);
            proof = (version.Key, since);
            _since[i] = since;
        }
    }

    /// <summary>Returns whether a version was certainly visible at a start time.</summary>
    public bool IsVisible(int version, long start) => _since[version] < start;

    private static bool HasPrimaryRead(BlockList<Operation> operations)
    {
        for (var i = 0; i < operations.Count; i++)
        {
            if (operations[i].Kind == OperationKind.PrimaryRead) return true;
        }

        return false;
    }
}

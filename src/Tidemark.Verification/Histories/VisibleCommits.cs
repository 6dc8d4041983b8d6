namespace Tidemark.Verification;

/// <summary>
/// From when each commit was certainly visible on the primary that made it. An acknowledged commit is; so is one whose server process is
/// gone. A row lock is held until its transaction is visible as ended, so that a later version of the same row on the same timeline proves
/// it of all earlier ones. Immutable.
/// </summary>
internal sealed class VisibleCommits
{
    private readonly long[] _since;

    public VisibleCommits(History history)
    {
        var versions = history.Versions;
        _since = new long[HasPrimaryRead(history.Columns.Operations) ? versions.Count : 0];

        // From the last version of each key to the first: the earliest proof on each timeline so far.
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

    /// <summary>Whether a version was certainly visible when something started.</summary>
    public bool IsVisible(int version, long start) => _since[version] < start;

    private static bool HasPrimaryRead(Column<Operation> operations)
    {
        for (var i = 0; i < operations.Count; i++)
        {
            if (operations[i].Kind == OperationKind.PrimaryRead) return true;
        }

        return false;
    }
}

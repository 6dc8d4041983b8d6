using NpgsqlTypes;

namespace Tidemark;

/// <summary>What is known about an unknown position: enough to detect a loss, and to detect when the position is settled.</summary>
/// <param name="Timeline">
/// The position is on this timeline or a later one. If the history continued on a later one, it may have been lost. Zero if the timeline is
/// not known either.
/// </param>
/// <param name="Backend">A server process that may still commit, or zero if none can or the processes are not known.</param>
/// <param name="OtherBackend">A second such process, or zero if only one can. More than two are not recorded.</param>
internal readonly record struct UnknownPosition(uint Timeline, int Backend = 0, int OtherBackend = 0)
{
    /// <summary>Decodes the value from its form in a token, which is that of a WAL position.</summary>
    public static UnknownPosition Of(WalPosition position) =>
        new(position.Timeline, (int)(uint)(ulong)position.Lsn, (int)((ulong)position.Lsn >> 32));

    public static UnknownPosition Of(uint timeline, IReadOnlyCollection<int> backends) => backends.Count is 0 or > 2 || backends.Contains(0)
        ? new UnknownPosition(timeline)
        : new UnknownPosition(timeline, backends.First(), backends.Skip(1).FirstOrDefault());

    public WalPosition ToPosition() => new(Timeline, new NpgsqlLogSequenceNumber((uint)Backend | ((ulong)(uint)OtherBackend << 32)));

    /// <summary>The server processes that may still commit.</summary>
    public IEnumerable<int> Backends => OtherBackend != 0 ? [Backend, OtherBackend] : Backend != 0 ? [Backend] : [];
}

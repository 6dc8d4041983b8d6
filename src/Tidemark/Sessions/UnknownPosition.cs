using NpgsqlTypes;

namespace Tidemark;

/// <summary>What is known of something that is not: enough to hear of a loss, and to find out when it is settled.</summary>
/// <param name="Timeline">
/// It ended on this timeline or a later one; where history went on with a later one, it may have been lost. Zero: not even that.
/// </param>
/// <param name="Backend">A server process that may still commit it; zero: there is none, or they are not known.</param>
/// <param name="OtherBackend">Another one; zero: there is none. More than two are not known.</param>
internal readonly record struct UnknownPosition(uint Timeline, int Backend = 0, int OtherBackend = 0)
{
    /// <summary>What a token says of it, in the form of a place.</summary>
    public static UnknownPosition Of(WalPosition position) =>
        new(position.Timeline, (int)(uint)(ulong)position.Lsn, (int)((ulong)position.Lsn >> 32));

    public static UnknownPosition Of(uint timeline, IReadOnlyCollection<int> backends) => backends.Count is 0 or > 2 || backends.Contains(0)
        ? new UnknownPosition(timeline)
        : new UnknownPosition(timeline, backends.First(), backends.Skip(1).FirstOrDefault());

    public WalPosition ToPosition() => new(Timeline, new NpgsqlLogSequenceNumber((uint)Backend | ((ulong)(uint)OtherBackend << 32)));

    /// <summary>The server processes that may still commit it.</summary>
    public IEnumerable<int> Backends => OtherBackend != 0 ? [Backend, OtherBackend] : Backend != 0 ? [Backend] : [];
}

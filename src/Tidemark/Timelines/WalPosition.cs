using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// A WAL position: an LSN on a timeline, which together identify a point in the cluster's history. After a promotion, an LSN alone is
/// ambiguous.
/// </summary>
/// <param name="Timeline">PostgreSQL's timeline id, incremented by each promotion, or 0 if unknown.</param>
/// <param name="Lsn">The LSN on that timeline.</param>
public readonly record struct WalPosition(uint Timeline, NpgsqlLogSequenceNumber Lsn)
{
    /// <summary>Returns the position with its timeline, such as <c>0/3000128 on timeline 1</c>.</summary>
    public override string ToString() => $"{Lsn} on timeline {Timeline}";

    /// <summary>
    /// Returns the later of two WAL positions. A position on a later timeline is later, because the cluster's history continues there.
    /// </summary>
    internal static WalPosition Later(WalPosition one, WalPosition other) =>
        one.Timeline != other.Timeline
            ? (one.Timeline > other.Timeline ? one : other)
            : (one.Lsn > other.Lsn ? one : other);

    /// <summary>Returns the later of two WAL positions, either of which may be missing.</summary>
    internal static WalPosition? Later(WalPosition? one, WalPosition? other) =>
        one is not { } a ? other : other is not { } b ? one : Later(a, b);
}

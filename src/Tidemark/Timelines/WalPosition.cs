using NpgsqlTypes;

namespace Tidemark;

/// <summary>A place in history: a WAL position on a timeline. A position alone says nothing once servers have been promoted.</summary>
/// <param name="Timeline">PostgreSQL's timeline id; it grows by one with each promotion. Zero: unknown.</param>
/// <param name="Lsn">The WAL position (LSN) on that timeline.</param>
public readonly record struct WalPosition(uint Timeline, NpgsqlLogSequenceNumber Lsn)
{
    /// <summary>The position with its timeline, as in <c>0/3000128 on timeline 1</c>.</summary>
    public override string ToString() => $"{Lsn} on timeline {Timeline}";

    /// <summary>The later of two places. A later timeline wins: it is where the cluster's history went on.</summary>
    internal static WalPosition Later(WalPosition one, WalPosition other) =>
        one.Timeline != other.Timeline
            ? (one.Timeline > other.Timeline ? one : other)
            : (one.Lsn > other.Lsn ? one : other);

    /// <summary>The later of two places where either may be missing.</summary>
    internal static WalPosition? Later(WalPosition? one, WalPosition? other) =>
        one is not { } a ? other : other is not { } b ? one : Later(a, b);
}

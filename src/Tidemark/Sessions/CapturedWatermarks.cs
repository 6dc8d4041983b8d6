namespace Tidemark;

/// <summary>The watermarks of a session at one moment, for a token.</summary>
/// <param name="Written">
/// The WAL position of its writes, or <see langword="null"/> if it wrote nothing or the position is <paramref name="Unknown"/>.
/// </param>
/// <param name="Observed">
/// The WAL position of its reads, if it was requested; or <see langword="null"/> if they returned nothing or the position is
/// <paramref name="Unknown"/>.
/// </param>
/// <param name="Unknown">What is known about pending positions, or <see langword="null"/> if nothing is pending.</param>
/// <param name="IsInDoubt"><see langword="true"/> if a connection broke during a commit.</param>
internal readonly record struct CapturedWatermarks(WalPosition? Written, WalPosition? Observed, UnknownPosition? Unknown, bool IsInDoubt);

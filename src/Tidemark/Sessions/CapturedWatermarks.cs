namespace Tidemark;

/// <summary>What a session knows of itself at one moment, for a token.</summary>
/// <param name="Written">The place of its writes; <see langword="null"/>: it wrote nothing, or <paramref name="Unknown"/>.</param>
/// <param name="Seen">
/// The place of its reads, where that was asked for; <see langword="null"/>: they showed nothing, or <paramref name="Unknown"/>.
/// </param>
/// <param name="Unknown">What is known of what is pending; <see langword="null"/>: nothing is pending.</param>
/// <param name="IsInDoubt">A connection broke during a commit.</param>
internal readonly record struct CapturedWatermarks(WalPosition? Written, WalPosition? Seen, UnknownPosition? Unknown, bool IsInDoubt);

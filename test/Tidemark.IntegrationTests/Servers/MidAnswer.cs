namespace Tidemark;

/// <summary>
/// Failures of reads whose server was shut down in the midst of an answer: it then sends what it has of it, rows without an end. A read is
/// repeated before its first
/// row only (docs/operating.md), so a few of them may fail where servers are stopped, and no more than a few.
/// </summary>
internal static class MidAnswer
{
    public const int Most = 2;

    /// <summary>The connection ended, and not while the attempts of the read were made.</summary>
    public static bool Is(string failure) =>
        !failure.Contains(nameof(ReadLoop), StringComparison.Ordinal)
        && (failure.Contains("Exception while reading from stream", StringComparison.Ordinal)
            || failure.Contains("57P01", StringComparison.Ordinal));

    public static void ShouldBeAll(IEnumerable<string> failures)
    {
        var all = failures.ToList();
        all.Where(failure => !Is(failure)).ShouldBeEmpty();
        all.Count.ShouldBeLessThanOrEqualTo(Most, string.Join('\n', all));
    }
}

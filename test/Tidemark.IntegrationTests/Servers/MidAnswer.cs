namespace Tidemark;

/// <summary>
/// Failures of reads whose server was shut down while it sent an answer. The server then sends the rows it has, without the end of the
/// answer. A read is retried only before its first row (docs/operating.md). A few reads may therefore fail where servers are stopped, but
/// no more.
/// </summary>
internal static class MidAnswer
{
    public const int Most = 2;

    /// <summary>Whether the connection ended after the attempts of the read, not during them.</summary>
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

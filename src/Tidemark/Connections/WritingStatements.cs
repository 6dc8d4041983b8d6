using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Tidemark;

/// <summary>
/// Remembers the texts of statements that were sent as reads and turned out to write (25006), so that they are sent to the primary directly
/// next time. When it is full, the oldest text is discarded, and detected again the next time it is sent.
/// </summary>
internal sealed class WritingStatements
{
    public const int MaxStatements = 1000;

    /// <summary>Maximum length of a remembered text. Longer texts are rarely sent twice, and would take too much memory.</summary>
    public const int MaxLength = 8192;

    private static readonly Meter Meter = new("Tidemark");
    private static readonly Counter<long> HiddenWrites = Meter.CreateCounter<long>(
        "tidemark.hidden_writes", "{statement}",
            "Statements sent as reads that turned out to write (25006) and ran on the primary instead");

    private readonly Lock _lock = new();
    private readonly Queue<string> _inOrder = new();
    private readonly ConcurrentDictionary<string, bool> _texts = new(StringComparer.Ordinal);
    private volatile bool _isEmpty = true;

    public bool Contains(string? text) => !_isEmpty && text is not null && _texts.ContainsKey(text);

    /// <summary>Records a statement that turned out to write.</summary>
    public void Note(string? text)
    {
        HiddenWrites.Add(1);
        if (text is null || text.Length > MaxLength) return;
        lock (_lock)
        {
            if (!_texts.TryAdd(text, true)) return;
            _isEmpty = false;
            _inOrder.Enqueue(text);
            if (_inOrder.Count > MaxStatements) _texts.TryRemove(_inOrder.Dequeue(), out _);
        }
    }
}

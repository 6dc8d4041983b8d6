using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Forwards messages to a logger from the thread pool, in order, so that a logging provider that blocks does not delay the monitor.
/// Messages beyond <see cref="MaxPending"/> are dropped.
/// </summary>
internal sealed class DeferredLogger(ILogger inner) : ILogger
{
    /// <summary>Maximum number of messages waiting for the provider.</summary>
    public const int MaxPending = 1_000;

    private readonly ConcurrentQueue<Action> _pending = new();
    private int _count;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
        string> formatter)
    {
        if (Volatile.Read(ref _count) >= MaxPending) return;
        _pending.Enqueue(() => inner.Log(logLevel, eventId, state, exception, formatter));
        if (Interlocked.Increment(ref _count) == 1)
            ThreadPool.UnsafeQueueUserWorkItem(static logger => logger.Drain(), this, preferLocal: false);
    }

    private void Drain()
    {
        do
        {
            _pending.TryDequeue(out var log);
            try
            {
                log!();
            }
#pragma warning disable CA1031 // The logging provider itself failed, so the exception cannot be reported.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }
        while (Interlocked.Decrement(ref _count) > 0);
    }
}

using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>Keeps what Tidemark itself logs from Warning on; what Npgsql logs quotes every statement.</summary>
internal sealed class TidemarkLog : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<string> _messages = new();

    public IReadOnlyCollection<string> Messages => _messages;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public ILogger CreateLogger(string categoryName) =>
        categoryName == "Tidemark" ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
        string> formatter) =>
        _messages.Enqueue(formatter(state, exception));
}

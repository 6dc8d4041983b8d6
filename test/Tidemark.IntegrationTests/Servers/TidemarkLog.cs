using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Records what Tidemark itself logs at level Warning or above. Npgsql's log is excluded, because it quotes every statement.
/// </summary>
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

using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Forwards messages to a logger and suppresses exceptions of the logging provider: a failure to log must not fail a user's query.
/// </summary>
internal sealed class QuietLogger(ILogger inner) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
#pragma warning disable CA1031 // A failing logging provider must not fail the query.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
        string> formatter)
    {
        try
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
#pragma warning disable CA1031 // A failing logging provider must not fail the query.
        catch (Exception)
#pragma warning restore CA1031
        {
            // The logging provider itself failed, so the exception cannot be reported.
        }
    }
}

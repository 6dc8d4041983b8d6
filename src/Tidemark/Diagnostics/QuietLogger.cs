using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Passes messages on and keeps the failures of a logging provider to itself: what cannot be logged must not fail a user's query.
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
#pragma warning disable CA1031 // Whatever a provider throws is its own affair.
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
#pragma warning disable CA1031 // Whatever a provider throws is its own affair.
        catch (Exception)
#pragma warning restore CA1031
        {
            // There is nowhere left to report it.
        }
    }
}

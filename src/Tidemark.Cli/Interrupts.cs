using System.Runtime.InteropServices;

namespace Tidemark.Cli;

/// <summary>
/// Ctrl-C and a request to end: the first lets the command say what it has, a second one ends it at once. While another program has the
/// terminal, Ctrl-C is
/// that program's business. One for the process, as signals are.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private static int _lent;

    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _termination;

    private Interrupts()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnInterrupt);
        _termination = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    }

    /// <summary>The command is to stop.</summary>
    public CancellationToken Token => _stop.Token;

    public static Interrupts Listen() => new();

    /// <summary>Leaves Ctrl-C to another program until the returned loan is disposed of.</summary>
    public static IDisposable Lend()
    {
        Interlocked.Increment(ref _lent);
        return new Loan();
    }

    public void Dispose()
    {
        _interrupt.Dispose();
        _termination.Dispose();
        _stop.Dispose();
    }

    private void OnInterrupt(PosixSignalContext signal)
    {
        if (Volatile.Read(ref _lent) > 0) signal.Cancel = true;
        else Stop(signal);
    }

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = !_stop.IsCancellationRequested;
        _stop.Cancel();
    }

    private sealed class Loan : IDisposable
    {
        private int _isReturned;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReturned, 1) == 0) Interlocked.Decrement(ref _lent);
        }
    }
}

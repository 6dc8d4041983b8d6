using System.Runtime.InteropServices;

namespace Tidemark.Cli;

/// <summary>
/// Handles SIGINT (Ctrl-C) and SIGTERM. The first signal cancels the command, which then prints its results so far. The second signal ends
/// the process. While another program has the terminal, SIGINT is ignored here, since that program handles it. There is one instance per
/// process, since signals are per process.
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

    /// <summary>Cancelled when the command must stop.</summary>
    public CancellationToken Token => _stop.Token;

    public static Interrupts Listen() => new();

    /// <summary>Leaves Ctrl-C to another program until the returned object is disposed.</summary>
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

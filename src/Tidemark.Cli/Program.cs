using System.Runtime.InteropServices;
using Tidemark.Cli;

// Ctrl-C lets the command say what it has; a second one ends it at once.
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var termination = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return (int)await CommandLine.RunAsync(args, Terminal.OfThisProcess(), stop.Token);

void Stop(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}

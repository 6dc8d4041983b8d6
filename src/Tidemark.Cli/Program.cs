using Tidemark.Cli;
using Tidemark.Cli.Targets;

using var interrupts = Interrupts.Listen();
return (int)await CommandLine.RunAsync(args, Terminal.OfThisProcess(), TargetEnvironment.OfThisProcess(), interrupts.Token);

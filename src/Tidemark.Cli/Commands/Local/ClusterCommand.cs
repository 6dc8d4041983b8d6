using System.CommandLine;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster</c>: real servers on this machine, to play with and to break.</summary>
internal sealed class ClusterCommand : TidemarkCommand
{
    public ClusterCommand(Terminal terminal)
        : base(
            terminal, "cluster", "A real PostgreSQL cluster on this machine, a primary and replicas, to play with and to break. It goes "
                + "on until 'down', also when the terminal is closed.",
            "tidemark cluster up --replicas 2", "tidemark cluster kill pg-1", "tidemark cluster promote pg-2",
                "tidemark cluster rejoin pg-1", "tidemark cluster down")
    {
        foreach (var command in new Command[]
        {
            new ClusterUpCommand(terminal), new ClusterDownCommand(terminal), new ClusterStatusCommand(terminal),
                new ClusterListCommand(terminal),
            new PauseCommand(terminal), new ResumeCommand(terminal), new DelayCommand(terminal), new StopCommand(terminal),
                new StartCommand(terminal), new KillCommand(terminal),
            new PromoteCommand(terminal), new RejoinCommand(terminal),
        }) Add(command);
    }

    protected override Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken) =>
        throw new CommandException(
            $"what about the cluster? {string.Join(", ", Subcommands.Select(command => command.Name))}; 'tidemark cluster --help' tells "
            + "more.");
}

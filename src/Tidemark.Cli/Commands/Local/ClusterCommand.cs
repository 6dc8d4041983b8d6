using System.CommandLine;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster</c>: manages PostgreSQL clusters on this machine, for experiments.</summary>
internal sealed class ClusterCommand : TidemarkRootCommand
{
    public ClusterCommand(Terminal terminal)
        : base(
            terminal, "cluster", "Manage a real PostgreSQL cluster on this machine, with a primary and replicas, for experiments and "
                + "failure tests. It runs until 'cluster down', even after the terminal is closed.",
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
            $"a subcommand is required: {string.Join(", ", Subcommands.Select(command => command.Name))}. Run 'tidemark cluster --help' "
            + "for usage.");
}

using System.CommandLine;
using Tidemark.Cli.Doctor;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary>
/// <c>tidemark doctor</c>: checks a cluster for problems. Handles only the command line; the checks are in <c>Doctor</c>.
/// </summary>
internal sealed class DoctorCommand : TargetCommand
{
    private static readonly DoctorBounds Defaults = new();

    private readonly Option<TimeSpan> _maxStaleness = Choices.Time(
        "--max-staleness", "Maximum staleness of a replica. Default: MaxStaleness of the settings, or 30 s.", Defaults.MaxStaleness,
            least: TimeSpan.FromMilliseconds(1), most: TimeSpan.FromDays(30));

    private readonly Option<bool> _json = JsonOption();

    public DoctorCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "doctor", "Check a cluster for problems, with the consequence and the fix of each. Changes nothing. "
                + "Exit code 1 if there is an error or a warning, 2 if no node responds.",
            "tidemark doctor", "tidemark doctor --max-staleness 10s --json", "tidemark doctor --connection postgres://app@pg-1,pg-2/store")
    {
        Add(_maxStaleness);
        Add(_json);
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var staleness = result.CommandResult.Has(_maxStaleness) ? result.GetValue(_maxStaleness) : target.Options.MaxStaleness
            ?? Defaults.MaxStaleness;
        var cluster = await Terminal.WithStagesAsync(
            $"Examining {string.Join(", ", target.Nodes.Select(node => node.Name))}",
            _ => Examination.RunAsync([.. target.Nodes.Select(node => Node(node, target))], Defaults with { MaxStaleness = staleness },
                TimeProvider.System, cancellationToken));
        if (Diagnosis.IsBlind(cluster))
        {
            foreach (var node in cluster.Nodes)
                CommandLine.Fail($"{node.Name}: {node.Failure!.Reason}. {node.Failure.Remedy}", Terminal);
            return ExitCode.WrongUsage;
        }

        var diagnosis = Diagnosis.Of(cluster) with { Source = target.Source };
        if (result.GetValue(_json)) Json.Write(Terminal, diagnosis);
        else new DiagnosisReport(Terminal).Write(diagnosis);
        return diagnosis.IsWell ? ExitCode.Success : ExitCode.Finding;
    }

    // The pool size of the application is known only from its settings or from the connection string.
    private static DoctorNode Node(TargetNode node, ClusterTarget target)
    {
        var configured = target.Options.Nodes[node.Name].MaxPoolSize;
        var isKnown = configured is not null || target.IsConfiguration || node.Settings.ShouldSerialize("Maximum Pool Size");
        return new DoctorNode(node.Name, node.Settings, isKnown ? configured ?? node.Settings.MaxPoolSize : null);
    }
}

using System.CommandLine;
using System.CommandLine.Completions;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark explain</c>: the node that a read would use now, and why the other nodes are rejected.</summary>
internal sealed class ExplainCommand : TargetCommand
{
    private readonly Option<Consistency?> _consistency = new("--consistency")
    {
        Description = $"The consistency level: {Consistency.Names}. Default: DefaultConsistency of the settings.",
        HelpName = "LEVEL",
        CompletionSources =
            { _ => ((string[])["Strong", "Session", "ReadYourWrites", "MonotonicReads", "Eventual"])
            .Select(level => new CompletionItem(level)) },
        CustomParser = argument =>
        {
            if (Consistency.TryParse(argument.Tokens[0].Value, provider: null, out var level)) return level;
            argument.AddError($"--consistency does not accept {Quoted.Word(argument.Tokens[0].Value)}. Valid levels: {Consistency.Names}.");
            return null;
        },
    };

    private readonly Option<CausalToken?> _after = new("--after")
    {
        Description = "The token of a session that the read continues, as returned by CausalToken.ToString().",
        HelpName = "TOKEN",
        CustomParser = argument =>
        {
            if (CausalToken.TryParse(argument.Tokens[0].Value, provider: null, out var token)) return token;
            argument.AddError("--after requires a token as returned by CausalToken.ToString(). The given text is invalid or incomplete.");
            return null;
        },
    };

    private readonly Option<string?> _node =
        new("--node") { Description = "The name of a node that the read requires.", HelpName = "NODE" };
    private readonly Option<bool> _write = new("--write") { Description = "Explain a write instead of a read." };
    private readonly Option<bool> _json = JsonOption();

    public ExplainCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "explain", "Show which node a read would use now, and why the other nodes are rejected. Exit code 1 if "
                + "no node can serve it. An actual read can do better, because it can wait a short time for a replica.",
            "tidemark explain", "tidemark explain --consistency Strong", "tidemark explain --after TOKEN",
                "tidemark explain --consistency \"BoundedStaleness(00:00:05)\"")
    {
        foreach (var option in new Option[] { _consistency, _after, _node, _write, _json }) Add(option);
        Validators.Add(given =>
        {
            foreach (var option in new Option[] { _consistency, _after, _node }.Where(option => given.Has(_write) && given.Has(option)))
                given.AddError($"--write and {option.Name} cannot be combined: writes always go to the primary.");
        });
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var level = result.GetValue(_consistency) ?? target.Options.DefaultConsistency;
        await using var source = await target.OpenAsync(cancellationToken);
        if (source.Nodes.All(node => node.Role == NodeRole.Unknown)) throw target.IsSilent(source);

        var asks = result.GetValue(_write) ? "A write" : $"A read at {level}";
        var notes = new List<string>();
        if (result.GetValue(_after) is { } given && Doubt(given, target.Options) is { } doubt) notes.Add(doubt);
        source.WriteLost += (_, lost) => notes.Add(lost.ToString());
        var decision = result.GetValue(_write) ? source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Write))
            : await DecideAsync(source, level, result.GetValue(_after), result.GetValue(_node) is { } name
                ? target[name].Name : null, cancellationToken);
        if (result.GetValue(_after) is { } after) asks += $" after {Describe(after)}";
        if (result.GetValue(_json)) Json.Write(Terminal, Record(asks, decision, notes));
        else Write(asks, decision, notes);
        return decision.Node is null ? ExitCode.Finding : ExitCode.Success;
    }

    private static async Task<RouteDecision> DecideAsync(
        TidemarkDataSource source, Consistency level, CausalToken? after, string? node, CancellationToken cancellationToken)
    {
        try
        {
            using var session = source.BeginSession(after);
            using var there = node is null ? null : source.RequireNode(node);
            using var asked = source.Require(level);
            await source.Watermarks.PrepareAsync(session, IoMode.Async, cancellationToken);
            source.Watermarks.Validate(session);
            return source.Explain();
        }
        catch (ArgumentException e)
        {
            // For example, the token is from another cluster, or the bound is below the probe interval.
            throw new CommandException(e.Message.Split(" (Parameter", StringSplitOptions.None)[0], e);
        }
    }

    private static string? Doubt(CausalToken token, TidemarkOptions options) =>
        token.ExpiresAt <= TimeProvider.System.GetUtcNow()
            ? $"The token expired at {token.ExpiresAt.UtcDateTime:u}: its WAL positions are ignored, and the read goes to the primary." :
        options.TokenKey is null ? token.IsSigned
            ? "The token is signed, but the settings have no TokenKey: the signature was not verified." : null
        : !token.IsSigned ? "The token is not signed, but the settings have a TokenKey: the token is rejected."
        : !token.IsSignedBy(CausalToken.KeyOf(options.TokenKey)!)
            ? "The token was signed with a TokenKey other than that of the settings: the token is rejected."
        : null;

    private static string Describe(CausalToken token)
    {
        var positions =
            new[] { token.Written is { } written ? $"written up to {written}" : null, token.Observed is { } observed
            ? $"observed up to {observed}" : null, token.IsUnknown ? "an unknown position" : null };
        return $"a token: {string.Join(", ", positions.Where(position => position is not null).DefaultIfEmpty("nothing"))}";
    }

    private static object Record(string asks, RouteDecision decision, IReadOnlyList<string> notes) => new
    {
        asks,
        node = decision.Node,
        role = decision.Role,
        reason = decision.Reason,
        why = decision.Summary,
        stalenessMs = decision.Staleness?.TotalMilliseconds,
        rejected = decision.Rejected,
        notes,
    };

    private void Write(string asks, RouteDecision decision, IReadOnlyList<string> notes)
    {
        Terminal.Line($"{asks} goes to");
        Terminal.Line($"  {decision.Summary}", decision.Node is null ? Tone.Bad : Tone.Good);
        if (decision.IsReplica)
            Terminal.Line(decision.Staleness is { } staleness
            ? $"  It shows everything committed longer than {Words.Duration(staleness.TotalMilliseconds)} ago."
            : "  Its staleness is not known yet.", Tone.Quiet);
        if (decision.Rejected.Count > 0) Terminal.Line("and not to");
        foreach (var rejection in decision.Rejected) Terminal.Line($"  {rejection.Node}: {rejection.Detail}");
        foreach (var note in notes) Terminal.Line($"Note: {note}", Tone.Strong);
    }
}

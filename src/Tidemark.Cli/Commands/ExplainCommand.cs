using System.CommandLine;
using System.CommandLine.Completions;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark explain</c>: where a read would go now, and why not elsewhere.</summary>
internal sealed class ExplainCommand : TargetCommand
{
    private readonly Option<Consistency?> _consistency = new("--consistency")
    {
        Description = $"What the read asks for: {Consistency.Names}; the settings' default by default.",
        HelpName = "LEVEL",
        CompletionSources =
            { _ => ((string[])["Strong", "Session", "ReadYourWrites", "MonotonicReads", "Eventual"])
            .Select(level => new CompletionItem(level)) },
        CustomParser = argument =>
        {
            if (Consistency.TryParse(argument.Tokens[0].Value, provider: null, out var level)) return level;
            argument.AddError($"--consistency knows no {Quoted.Word(argument.Tokens[0].Value)}. The levels are {Consistency.Names}.");
            return null;
        },
    };

    private readonly Option<CausalToken?> _after = new("--after")
    {
        Description = "The token of a session that the read goes on after, as CausalToken.ToString() gives it.",
        HelpName = "TOKEN",
        CustomParser = argument =>
        {
            if (CausalToken.TryParse(argument.Tokens[0].Value, provider: null, out var token)) return token;
            argument.AddError("--after takes a token as CausalToken.ToString() gives it, and this is none, or not all of it.");
            return null;
        },
    };

    private readonly Option<string?> _node = new("--node") { Description = "The node that the read asks for by name.", HelpName = "NODE" };
    private readonly Option<bool> _write = new("--write") { Description = "Explain a write." };
    private readonly Option<bool> _json = JsonOption();

    public ExplainCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "explain", "Show which node a read would go to now, why, and why not the others. Exit code 1 when "
                + "there is none. A read that runs may do better: it can wait a moment for a replica.",
            "tidemark explain", "tidemark explain --consistency Strong", "tidemark explain --after TOKEN",
                "tidemark explain --consistency \"BoundedStaleness(00:00:05)\"")
    {
        foreach (var option in new Option[] { _consistency, _after, _node, _write, _json }) Add(option);
        Validators.Add(given =>
        {
            foreach (var option in new Option[] { _consistency, _after, _node }.Where(option => given.Has(_write) && given.Has(option)))
                given.AddError($"--write and {option.Name} contradict each other: writes go to the primary.");
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
            // A token of another cluster, or a bound below the probe interval.
            throw new CommandException(e.Message.Split(" (Parameter", StringSplitOptions.None)[0], e);
        }
    }

    private static string? Doubt(CausalToken token, TidemarkOptions options) =>
        token.ExpiresAt <= TimeProvider.System.GetUtcNow()
            ? $"The token expired at {token.ExpiresAt.UtcDateTime:u}: its places are not believed, and the primary is asked." :
        options.TokenKey is null ? token.IsSigned
            ? "The token is signed, and the settings have no TokenKey: the signature was not checked." : null
        : !token.IsSigned ? "The token is not signed, and the settings have a TokenKey: it is not believed."
        : !token.IsSignedBy(CausalToken.KeyOf(options.TokenKey)!)
            ? "The token was signed with another TokenKey than that of the settings: it is not believed."
        : null;

    private static string Describe(CausalToken token)
    {
        var positions =
            new[] { token.Written is { } written ? $"written up to {written}" : null, token.Seen is { } seen
            ? $"seen up to {seen}" : null, token.IsUnknown ? "something unknown" : null };
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
            : "  How stale it may be is not known yet.", Tone.Quiet);
        if (decision.Rejected.Count > 0) Terminal.Line("and not to");
        foreach (var rejection in decision.Rejected) Terminal.Line($"  {rejection.Node}: {rejection.Detail}");
        foreach (var note in notes) Terminal.Line($"Note: {note}", Tone.Strong);
    }
}

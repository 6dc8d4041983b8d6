using System.CommandLine;
using System.Globalization;
using Tidemark.Cli.Targets;
using Tidemark.Cli.Verify;
using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark verify</c>: runs a workload on a cluster and checks what its reads returned.</summary>
internal sealed class VerifyCommand : TargetCommand
{
    private const int DefaultSeconds = 30;
    private const int DefaultSessions = 8;
    private const int DefaultReplicas = 2;
    private const int MostReplicas = 14;

    private readonly Option<int?> _seconds =
        Choices.Number("--seconds", $"Run time in seconds. Default: {DefaultSeconds}.", least: 1, most: 86_400);
    private readonly Option<int?> _sessions =
        Choices.Number("--sessions", $"Number of concurrent sessions. Default: {DefaultSessions}.", least: 1, most: 1000);
    private readonly Option<VerifyPolicy> _policy =
        Choices.One<VerifyPolicy>("--policy",
        $"The policy that routes reads: {string.Join(", ", Enum.GetNames<VerifyPolicy>())}. Default: Tidemark. Random and RoundRobin "
        + "violate the guarantees, and the verdict shows it.");
    private readonly Option<TimeSpan> _maxStaleness =
        Choices.Time("--max-staleness", "The staleness bound that half of the sessions request.", TimeSpan.FromSeconds(1),
        least: TimeSpan.FromMilliseconds(100), most: TimeSpan.FromHours(1));
    private readonly Option<int?> _replicas = Choices.Number("--replicas", $"Number of replicas of the temporary local cluster. "
        + $"Default: {DefaultReplicas}, or the number of values in --delay.", least: 1, most: MostReplicas);
    private readonly Option<int[]> _delay = Choices.Numbers("--delay", "Replay delay in milliseconds of each replica of the temporary "
        + "local cluster, such as 5,50,200.", least: 0, most: 60_000);
    private readonly Option<bool> _json = JsonOption();
    private readonly Option<string?> _html = Choices.File("--html", "Write an HTML page with charts and a diagram of each violation.");
    private readonly Option<string?> _export = Choices.File("--export", "Write the history to a file, for 'tidemark check' and other "
        + "checkers.");

    public VerifyCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "verify",
            "Verify the consistency guarantees on a cluster. Sessions write and read in a temporary schema, and a checker compares "
                + "what they observed with the order of commits. Without --connection, --cluster or --config, starts a temporary local "
                + "cluster. Exit code 1 if a guarantee was violated.",
            "tidemark verify --replicas 3 --delay 5,50,200", "tidemark verify --cluster default --seconds 60",
                "tidemark verify --replicas 3 --delay 5,50,200 --policy Random",
            "tidemark verify --connection \"Host=pg-1,pg-2;Database=store;Username=app\" --json")
    {
        foreach (var option in new Option[] { _seconds, _sessions, _policy, _maxStaleness, _replicas, _delay, _json, _html, _export })
            Add(option);
        Validators.Add(given =>
        {
            if (given.Has(_delay) && given.Has(_replicas) && given.GetValue(_delay) is { Length: > 1 } delays
                && delays.Length != given.GetValue(_replicas))
                given.AddError($"--replicas is {given.GetValue(_replicas)}, but --delay has {delays.Length} values.");
            foreach (var file in new[] { _html, _export }.Where(given.Has))
                if (Path.GetDirectoryName(Path.GetFullPath(given.GetValue(file)!)) is { } folder && !Directory.Exists(folder))
                    given.AddError($"{file.Name}: the folder of the file does not exist.");
            foreach (var option in new Option[] { _replicas, _delay }.Where(given.Has))
                if (OptionOfTarget(given) is { } other)
                    given.AddError($"{option.Name} and {other} cannot be combined: {option.Name} applies to the temporary local "
                    + "cluster.");
        });
    }

    // Writes only to a cluster that an option names, never to one from the environment.
    protected override async Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        if (OptionOfTarget(result.CommandResult) is not null) return await base.RunAsync(result, cancellationToken);
        await using var cluster = await StartAsync(result, cancellationToken);
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        return await RunAsync(new ClusterTarget("a temporary local cluster", builder), result, cancellationToken);
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var options = new VerificationOptions(
            TimeSpan.FromSeconds(result.GetValue(_seconds) ?? DefaultSeconds), result.GetValue(_sessions)
                ?? DefaultSessions, result.GetValue(_policy), result.GetValue(_maxStaleness));
        var (record, report) = await Terminal.WithProgressAsync(
            $"Verifying {target.Nodes.Count} nodes",
            reported =>
                VerificationRun.RunAsync(target, options,
                now => reported(now.Elapsed / options.Duration, $"{Words.Count(now.Operations)} operations"), cancellationToken));
        if (result.GetValue(_json)) Json.Write(Terminal, record);
        else Write(record);
        if (result.GetValue(_html) is { } html)
            HistoryPage.Write(report.History, report.Verdict, html,
            new HistoryPageOptions { Title = $"{record.Policy} on {target.Source}" });
        if (result.GetValue(_export) is { } file) HistoryFile.Write(report.History, file);
        return record.IsClean ? ExitCode.Success : ExitCode.Finding;
    }

    private async Task<LocalCluster> StartAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var delays = result.GetValue(_delay) ?? [];
        var options = new LocalClusterOptions
        {
            Replicas = result.GetValue(_replicas) ?? Math.Max(delays.Length, DefaultReplicas),
            ReplayDelays = [.. delays.Select(delay => TimeSpan.FromMilliseconds(delay))],
        };
        try
        {
            return await LocalCluster.StartAsync(options, cancellationToken);
        }
        catch (LocalClusterException e)
        {
            throw new CommandException(e.Message, e);
        }
    }

    private void Write(VerifyRecord record)
    {
        Facts.Write(
            Terminal, ("Policy", record.Policy),
                ("Sessions",
                $"{Words.Count(record.Sessions)} in {Words.Seconds(TimeSpan.FromSeconds(record.Seconds))}, {Words.Count(record.HandOvers)} "
                    + $"handed over"),
            ("Reads", $"{Words.Count(record.Reads)}, {Words.Percent(record.Offload)} on replicas "
                + $"({string.Join(", ", record.ServedBy.Select(node => $"{node.Key} {Words.Count(node.Value)}"))})"),
            ("Read latency", $"p50 {Words.Duration(record.P50Ms)}, p99 {Words.Duration(record.P99Ms)}"),
                ("Writes", Words.Count(record.Writes)),
            ("Staleness",
                string.Join(", ",
                record.Lag.Select(node =>
                $"{node.Key} ≤ {Words.Duration(node.Value.P50Ms)} (median), "
                    + $"{Words.Duration(node.Value.MaxMs)} (maximum)")) is { Length: > 0 } lag ? lag : "-"),
            ("Failed", $"{Words.Count(record.FailedReads)} reads, {Words.Count(record.FailedWrites)} writes"),
                ("Violations", Words.Count(record.Violations.Total)),
            ("Lost, unreported", Words.Count(record.LostWritesUnreported)), ("Committed twice", Words.Count(record.DoubleWrites)));
        Terminal.Line();
        foreach (var example in record.Examples) Terminal.Line($"- {example}", Tone.Quiet);
        if (record.Examples.Count > 0) Terminal.Line();
        if (record.LeftOut.Count > 0)
            Terminal.Line($"Excluded, because they did not serve at the start: {string.Join(", ", record.LeftOut)}.", Tone.Strong);
        if (record.Offload == 0) Terminal.Line("No replica served a read, so nothing was verified about replicas.", Tone.Strong);
        if (record.IsClean) Terminal.Line($"Clean: {record.Policy} violated no guarantee.", Tone.Good);
        else Terminal.Line($"{record.Policy} violated guarantees: {Kinds(record)}.", Tone.Bad);
    }

    private static string Kinds(VerifyRecord record)
    {
        var kinds = new[]
        {
            ("own writes missing from reads", record.Violations.ReadYourWrites),
                ("reads older than an earlier read", record.Violations.MonotonicReads),
                ("effects visible without their causes", record.Violations.Prefix),
            ("reads older than their staleness bound", record.Violations.Staleness),
                ("writes out of order", record.Violations.MonotonicWrites),
                ("writes ordered before the reads they follow", record.Violations.WritesFollowReads),
            ("failed writes visible", record.Violations.FailedWriteVisible), ("lost writes not reported", record.LostWritesUnreported),
                ("writes committed twice", record.DoubleWrites),
        };
        return string.Join(", ", kinds.Where(kind => kind.Item2 > 0)
            .Select(kind => string.Create(CultureInfo.InvariantCulture, $"{kind.Item2:N0} {kind.Item1}")));
    }
}

using System.Collections.Immutable;
using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>Replays one simulation run, prints its events, and writes the requested files: an HTML page, the history.</summary>
internal sealed class SeedReplay(Terminal terminal, Form form, string? html, string? export)
{
    public async Task<ExitCode> RunAsync(SimulationOptions world, CancellationToken cancellationToken)
    {
        await using var events = new SimulationEvents(form == Form.Text ? terminal.Out : null);
        SimulationRun run;
        try
        {
            // A run needs a dedicated thread, without the synchronization context of the caller.
            run = await Task.Factory.StartNew(
                () => SimulatedCluster.Run(world with { Trace = events }), cancellationToken, TaskCreationOptions.LongRunning,
                    TaskScheduler.Default).WaitAsync(cancellationToken);
        }
        catch (HistoryException e)
        {
            CommandLine.Fail($"the history contradicts itself. {e.Message}", terminal);
            return world.Fault == PlantedFault.None ? ExitCode.Finding : ExitCode.Success;
        }

        if (export is not null) HistoryFile.Write(run.History, export);
        if (html is not null) HistoryPage.Write(run.History, run.Verdict, html, Describe(run, events.Events));
        if (form == Form.Json) Json.Write(terminal, ReplayRecord.Of(run));
        else Write(run);
        var isCaught = !run.IsClean;
        if (world.Fault != PlantedFault.None) return isCaught ? ExitCode.Success : ExitCode.Finding;
        return isCaught && world.Arm == RoutingArm.Tidemark ? ExitCode.Finding : ExitCode.Success;
    }

    private void Write(SimulationRun run)
    {
        terminal.Line();
        foreach (var (name, value) in FactsOf(run)) Facts.Write(terminal, name, value, nameWidth: 19);
        VerdictRecord.Of(run.Verdict).Write(terminal);
        foreach (var broken in run.BrokenInvariants) terminal.Line($"Invariant violated: {broken}", Tone.Bad);
        foreach (var file in new[] { export, html }.OfType<string>()) terminal.Line($"Written: {file}", Tone.Quiet);
    }

    private static HistoryPageOptions Describe(SimulationRun run, ImmutableArray<HistoryPageEvent> events) => new()
    {
        Title = $"Seed {run.Options.Seed}{(run.Options.Fault == PlantedFault.None ? "" : $" with {run.Options.Fault}")}",
        Facts = [.. FactsOf(run), .. run.BrokenInvariants.Select(broken => KeyValuePair.Create("Violated invariant", broken))],
        Events = events,
    };

    private static IEnumerable<KeyValuePair<string, string>> FactsOf(SimulationRun run)
    {
        yield return new("World", run.Shape);
        yield return new("Profile, policy", $"{run.Options.Profile}, {run.Options.Arm}");
        yield return new("Reads by node", string.Join(", ", run.ReadsByNode.Select(node => $"{node.Key} {Words.Count(node.Value)}")));
        yield return new("On replicas", $"{Words.Count(run.OnReplicas)} of {Words.Count(run.CouldBeOnReplicas)} possible");
        yield return new("Failed", $"{Words.Count(run.FailedReads)} reads, {Words.Count(run.FailedWrites)} writes");
        yield return new("Fingerprint", run.TraceHash);
    }

    private sealed record ReplayRecord(
        int Seed, LagProfile Profile, RoutingArm Policy, PlantedFault Fault, string Shape, string Fingerprint, long Operations, long Reads,
            long OnReplicas, long CouldBeOnReplicas,
        IReadOnlyDictionary<string, long> ReadsByNode, long FailedReads, long FailedWrites, long Violations, long LostWritesUnreported,
            IReadOnlyList<string> BrokenInvariants, VerdictRecord Verdict)
    {
        public static ReplayRecord Of(SimulationRun run) => new(
            run.Options.Seed, run.Options.Profile, run.Options.Arm, run.Options.Fault, run.Shape, run.TraceHash, run.Operations, run.Reads,
                run.OnReplicas, run.CouldBeOnReplicas,
            run.ReadsByNode, run.FailedReads, run.FailedWrites, run.Verdict.ViolationCount, run.Verdict.SilentLoss, run.BrokenInvariants,
                VerdictRecord.Of(run.Verdict));
    }
}

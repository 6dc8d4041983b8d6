using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Tidemark.EfSuite;

/// <summary>
/// Every path through EF Core gives the same result with Tidemark as without, on the expected node. The node is identified by the port of
/// the connections on which the commands ran.
/// </summary>
public abstract class PathTests(JournalCluster shared)
{
    private static readonly Path[] Paths = [.. ReadPaths.All, .. WritePaths.All];

    public static TheoryData<string, bool> Ways
    {
        get
        {
            var ways = new TheoryData<string, bool>();
            foreach (var path in Paths)
                foreach (var sync in (bool[])[false, true]) ways.Add(path.Name, sync);
            return ways;
        }
    }

    private protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    private protected async Task WalkAsync(string name, bool sync)
    {
        var path = Paths.Single(p => p.Name == name);
        if (!shared.Cluster.Primary.IsRunning && !path.IsOwn && path.Nodes != "R")
        {
            await WalkWithoutPrimaryAsync(path, sync);
            return;
        }

        if (!shared.Cluster.Primary.IsRunning && path.IsOwn)
        {
            var without = await Errors.OfAsync(() => WalkAsync(path, sync, isRouted: false, new Sent()));
            (await Errors.OfAsync(() => WalkAsync(path, sync, isRouted: true, new Sent()))).ShouldBe(without);
            return;
        }

        var plain = await WalkAsync(path, sync, isRouted: false, new Sent());
        var sent = new Sent();
        (await WalkAsync(path, sync, isRouted: true, sent)).ShouldBe(plain);
        var nodes = shared.NodesOf(sent);
        if (shared.Cluster.Nodes.Count == 1) nodes.ShouldBeOneOf("P", "");
        else Regex.IsMatch(nodes, $"^({path.Nodes.Replace("~", "(RP?)*", StringComparison.Ordinal)})$")
            .ShouldBeTrue($"{nodes} does not match {path.Nodes}:\n{string.Join("\n", sent.Commands)}");
    }

    private async Task WalkWithoutPrimaryAsync(Path path, bool sync)
    {
        var watch = Stopwatch.StartNew();
        if (path.WithoutPrimary is { } answer)
        {
            (await WalkAsync(path, sync, isRouted: true, new Sent()))?.ToString().ShouldBe(answer);
        }
        else
        {
            var error = await Should.ThrowAsync<Exception>(() => WalkAsync(path, sync, isRouted: true, new Sent()));
            Errors.Find<RoutingException>(error).ShouldNotBeNull(error.ToString());
        }

        // The answer must not take as long as a timeout.
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
    }

    private async Task<object?> WalkAsync(Path path, bool sync, bool isRouted, Sent sent)
    {
        await shared.FillAsync();
        await using var run = new Run(
            configure => isRouted
                ? shared.RoutedOptions(sent, configure)
                : shared.PlainOptions(sent, configure), shared.PlainNode.ConnectionString, sync, Stop);
        return await path.WalkAsync(run);
    }
}

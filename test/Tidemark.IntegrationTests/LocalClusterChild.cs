using System.Text.Json;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Not a test: the process that <see cref="LocalClusterEndTests"/> starts, and kills.</summary>
public sealed class LocalClusterChild
{
    /// <summary>Names the folder for the cluster.</summary>
    public const string Variable = "TIDEMARK_TEST_CLUSTER_PARENT";

    [Fact(Explicit = true)]
    public async Task A_child_process_that_holds_a_cluster()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var cluster = await LocalCluster.StartAsync(
            new LocalClusterOptions { Replicas = 1, Directory = Environment.GetEnvironmentVariable(Variable) }, stop);
        Console.WriteLine("servers " + JsonSerializer.Serialize(cluster.Nodes.Select(node => node.ProcessId)));
        await Task.Delay(Timeout.Infinite, stop);
    }
}

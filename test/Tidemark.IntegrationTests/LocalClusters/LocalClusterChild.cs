using System.Text.Json;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>The process that <see cref="LocalClusterEndTests"/> starts, and kills.</summary>
internal static class LocalClusterChild
{
    public const string Command = "hold-a-cluster";

    /// <summary>Starts a cluster in the folder, prints the process ids of its servers, and waits to be ended.</summary>
    public static async Task<int> HoldAsync(string parent)
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 1, Directory = parent });
        Console.WriteLine("servers " + JsonSerializer.Serialize(cluster.Nodes.Select(node => node.ProcessId)));
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}

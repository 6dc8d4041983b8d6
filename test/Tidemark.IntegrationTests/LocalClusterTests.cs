using Tidemark.Testing;

namespace Tidemark;

/// <summary>One cluster for the tests that leave it as they found it.</summary>
public sealed class LocalClusterTests(LocalClusterOfThree shared) : IClassFixture<LocalClusterOfThree>
{
    private readonly LocalCluster cluster = shared.Cluster;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rows_written_on_the_primary_stream_to_every_replica()
    {
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.WaitForReplayAsync(Stop);

        cluster.Replicas.Select(replica => replica.Name).ShouldBe(["pg-2", "pg-3"]);
        foreach (var replica in cluster.Replicas)
        {
            (await replica.AskAsync<long>($"SELECT count(*) FROM {table}")).ShouldBe(1);
            (await replica.AskAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeTrue();
        }
    }
}

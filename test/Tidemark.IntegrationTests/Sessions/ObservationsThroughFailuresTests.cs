using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>The same as <see cref="ObservationTests"/> while servers and connections fail. Each test breaks a cluster of its own.</summary>
public sealed class ObservationsThroughFailuresTests : ObservationsOf, IAsyncLifetime
{
    private readonly StoreCluster _own = new();

    protected override StoreCluster Store => _own;

    public ValueTask InitializeAsync() => _own.InitializeAsync();

    public ValueTask DisposeAsync() => _own.DisposeAsync();

    [Theory]
    [InlineData("commands")]
    [InlineData("EF")]
    public async Task When_the_replica_of_a_session_dies_its_next_read_does_not_go_back(string by)
    {
        var id = await SeeOnReplicaAsync();
        using var session = Source.BeginSession();
        using (Source.RequireNode("pg-2")) (await NameAsync(id)).ShouldBe("v5");
        await Cluster["pg-2"].KillAsync(Stop);

        for (var i = 0; i < 20; i++)
        {
            await using var context = Store.CreateContext();
            var name = by == "EF"
                ? await context.Items.Where(item => item.Id == id).Select(item => item.Name).SingleAsync(Stop) : await NameAsync(id);
            name.ShouldBe("v5");
        }
    }

    [Fact]
    public async Task When_replica_and_primary_die_the_next_read_fails_rather_than_go_back()
    {
        var id = await SeeOnReplicaAsync();
        using var session = Source.BeginSession();
        using (Source.RequireNode("pg-2")) (await NameAsync(id)).ShouldBe("v5");
        await Cluster.Primary.KillAsync(Stop);
        await Cluster["pg-2"].KillAsync(Stop);

        for (var i = 0; i < 20; i++) await Should.ThrowAsync<RoutingException>(() => NameAsync(id));
        (await NameAsync(id, Consistency.Eventual)).ShouldBe("v4");
    }

    [Theory]
    [InlineData("a command")]
    [InlineData("a write connection")]
    [InlineData("SaveChanges")]
    [InlineData("SaveChanges in a transaction")]
    public async Task A_commit_in_doubt_is_read_back_and_settled_once_its_server_process_is_gone(string by)
    {
        // The commit waits for a paused replica. It is durable on the primary, no other session can see it, and its connection ends.
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync("ALTER DATABASE store SET synchronous_commit = remote_apply");
        using var session = Source.BeginSession();
        var commit = Should.ThrowAsync<Exception>(() => InsertAsync(by, "in doubt"));
        await Cluster.Primary.UntilAsync<long>(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'", n => n == 1);
        await Cluster.Primary.RunAsync("SET synchronous_commit = local; ALTER DATABASE store RESET synchronous_commit");
        var backend = await Cluster.Primary.QueryAsync<int>("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        await Cluster.Primary.RunAsync($"SELECT pg_terminate_backend({backend})");
        await commit;

        await StoreCluster.UntilAsync(Source, nodes => nodes.Primary == "pg-1");
        session.IsUnknown.ShouldBeTrue();
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Cluster.WaitForReplayAsync(Stop);

        for (var i = 0; i < 20; i++) (await Source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'in doubt'")).Value.ShouldBe(1);
        session.IsUnknown.ShouldBeFalse();
        await Source.UntilReadOnReplicaAsync(Cluster);
    }

    /// <summary>Creates a row whose latest version only the primary and pg-2 have.</summary>
    private async Task<int> SeeOnReplicaAsync()
    {
        var id = await Cluster.MakeItemAsync("v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        return id;
    }
}

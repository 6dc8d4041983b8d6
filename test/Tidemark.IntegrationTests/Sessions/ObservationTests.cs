using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>A session never reads an older state than it has observed, on whichever node and in whatever form it observed it.</summary>
public sealed class ObservationTests(StoreCluster shared) : ObservationsOf, IClassFixture<StoreCluster>, IAsyncLifetime
{
    protected override StoreCluster Store => shared;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("a strong command")]
    [InlineData("a strong connection")]
    [InlineData("a write connection")]
    [InlineData("a command for writing")]
    [InlineData("a tracking query")]
    [InlineData("a strong query")]
    [InlineData("a query in a transaction")]
    [InlineData("raw SQL")]
    public async Task An_observation_on_the_primary_is_never_followed_by_less_from_a_replica(string by)
    {
        var id = await Cluster.MakeItemAsync("v4");
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        foreach (var level in (Consistency[])[Consistency.Session, Consistency.MonotonicReads])
        {
            using var session = Source.BeginSession();
            (await ReadOnPrimaryAsync(by, id)).ShouldBe("v5");
            (await NameAsync(id, level)).ShouldBe("v5", level.ToString());
            await using var context = Store.CreateContext();
            (await context.Items.WithConsistency(level).Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop))
                .ShouldBe("v5", level.ToString());
        }

        // Proves that the pause is in effect: outside the session a replica serves, and shows less.
        (await NameAsync(id, Consistency.Session)).ShouldBe("v4");

        // A replica may serve as soon as it has the row.
        using var later = Source.BeginSession();
        (await ReadOnPrimaryAsync(by, id)).ShouldBe("v5");
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Source.UntilReadOnReplicaAsync(Cluster);
        (await NameAsync(id, Consistency.Session)).ShouldBe("v5");
    }

    [Theory]
    [InlineData("a command", "Session")]
    [InlineData("a command", "MonotonicReads")]
    [InlineData("a write connection", "MonotonicReads")]
    [InlineData("SaveChanges", "Session")]
    [InlineData("SaveChanges", "MonotonicReads")]
    [InlineData("SaveChanges in a transaction", "MonotonicReads")]
    [InlineData("ExecuteSql", "MonotonicReads")]
    public async Task Get_or_create_finds_another_users_row_in_its_second_round(string by, string level)
    {
        await Cluster.Primary.RunAsync("CREATE UNIQUE INDEX IF NOT EXISTS unique_names ON items (name) WHERE name LIKE 'unique, %'");
        await Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        var name = $"unique, {by}, {level}";
        await Cluster.Primary.RunAsync($"INSERT INTO items (name) VALUES ('{name}')");

        using var session = Source.BeginSession();
        using var asked = Source.Require(Consistency.Parse(level));
        (await CountAsync(name)).ShouldBe(0);
        (await Should.ThrowAsync<Exception>(() => InsertAsync(by, name))).GetBaseException()
            .ShouldBeOfType<PostgresException>().SqlState.ShouldBe(PostgresErrorCodes.UniqueViolation);
        (await CountAsync(name)).ShouldBe(1);
    }

    [Fact]
    public async Task The_reads_of_a_session_stay_on_one_replica()
    {
        for (var round = 0; round < 5; round++)
        {
            using var session = Source.BeginSession();
            var ports = new HashSet<int>();
            for (var i = 0; i < 20; i++) ports.Add((await Source.ReadAsync<int>("1")).Port);
            ports.Count.ShouldBe(1);
            ports.ShouldNotContain(Cluster.Primary.Port);
        }
    }
}

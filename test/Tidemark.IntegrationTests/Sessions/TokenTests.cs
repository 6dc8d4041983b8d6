using Microsoft.EntityFrameworkCore;
using NpgsqlTypes;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A session that continues in another process by a token. A second data source represents the other process.</summary>
public sealed class TokenTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private const string Key = "a secret of at least thirty-two characters";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => shared.Cluster;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("a command", "Session")]
    [InlineData("a command", "ReadYourWrites")]
    [InlineData("SaveChanges", "Session")]
    [InlineData("SaveChanges in a transaction", "ReadYourWrites")]
    public async Task A_session_that_continues_in_another_process_reads_its_own_writes(string by, string level)
    {
        await PauseAsync();
        var name = $"handed over, {by}, {level}";
        string text;
        using (shared.Source.BeginSession())
        {
            await WriteAsync(by, name);
            text = (await shared.Source.CaptureTokenAsync(Stop)).ToString();
        }

        text.Length.ShouldBeLessThanOrEqualTo(CausalToken.MaxLength);
        await using var elsewhere = await shared.ConnectAsync();
        using (elsewhere.BeginSession(CausalToken.Parse(text)))
            (await CountAsync(elsewhere, name, Consistency.Parse(level))).ShouldBe(1);

        // Proves that the pause is in effect.
        (await CountAsync(elsewhere, name, Consistency.Parse(level))).ShouldBe(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_process_that_has_just_started_accepts_a_token_before_its_first_probe(bool sync)
    {
        await PauseAsync();
        var name = $"just started, {sync}";
        CausalToken token;
        using (shared.Source.BeginSession())
        {
            await WriteAsync("SaveChanges in a transaction", name);
            token = await shared.Source.CaptureTokenAsync(Stop);
        }

        await using var elsewhere = Build();
        using var session = elsewhere.BeginSession(token);
        if (!sync) (await CountAsync(elsewhere, name, Consistency.Session)).ShouldBe(1);
        await using var command = elsewhere.CreateReadCommand($"SELECT count(*) FROM items WHERE name = '{name}'");
        command.ExecuteScalar().ShouldBe(1L);
    }

    [Fact]
    public async Task A_session_that_continues_elsewhere_does_not_lose_its_observations()
    {
        var id = await Cluster.MakeItemAsync("v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        CausalToken token;
        using (shared.Source.BeginSession())
        {
            using (shared.Source.RequireNode("pg-2")) (await NameAsync(shared.Source, id)).ShouldBe("v5");
            token = await shared.Source.CaptureTokenAsync(Stop);
        }

        await using var elsewhere = await shared.ConnectAsync();
        for (var i = 0; i < 20; i++)
        {
            using var session = elsewhere.BeginSession(token);
            (await NameAsync(elsewhere, id, Consistency.MonotonicReads)).ShouldBe("v5");
        }
    }

    [Theory]
    [InlineData("probed")]
    [InlineData("just started")]
    public async Task A_token_of_another_cluster_is_refused_by_name(string process)
    {
        await using var other = await LocalCluster.StartAsync(replicas: 0, Stop);
        await using var foreign = TidemarkDataSource.Create(other.Primary.ConnectionString);
        CausalToken token;
        using (foreign.BeginSession())
        {
            await foreign.WriteAsync("CREATE TABLE there (id int)");
            token = await foreign.CaptureTokenAsync(Stop);
        }

        await using var source = process == "probed" ? await shared.ConnectAsync() : Build();
        var error = Should.Throw<ArgumentException>(() => source.BeginSession(token));
        error.Message.ShouldContain(token.Cluster.ToString(System.Globalization.CultureInfo.InvariantCulture));
        source.CurrentSession.ShouldBeNull();
    }

    [Theory]
    [InlineData(null)]
    [InlineData(Key)]
    public async Task A_position_from_the_future_is_reported_and_replaced_by_the_current_one(string? key)
    {
        using var log = new RecordedLog();
        await using var source = await shared.ConnectAsync(b => (b.Options.TokenKey, b.LoggerFactory) = (key, log));
        var reports = new List<LostWrite>();
        source.WriteLost += (_, lostWrite) => reports.Add(lostWrite);
        var id = await Cluster.MakeItemAsync("v5");
        using var session =
            source.BeginSession(
            TokenOf(source, written: new WalPosition(1, new NpgsqlLogSequenceNumber(ulong.MaxValue / 2)), seen: null, key));

        (await NameAsync(source, id)).ShouldBe("v5");
        var lost = reports.ShouldHaveSingleItem();
        (lost.WasWritten, lost.IsCertain).ShouldBe((true, false));
        log.Entries.ShouldContain(e => e.Event == "WriteLost");
        await NameAsync(source, id);
        reports.Count.ShouldBe(1);
        await source.UntilReadOnReplicaAsync(Cluster);
    }

    [Fact]
    public async Task A_position_that_is_new_to_the_monitor_is_not_mistaken_for_a_future_one()
    {
        await using var slow = await shared.ConnectAsync(b => b.Options.ProbeInterval = TimeSpan.FromMinutes(1));
        var reports = 0;
        slow.WriteLost += (_, _) => reports++;
        CausalToken token;
        using (shared.Source.BeginSession())
        {
            await WriteAsync("SaveChanges in a transaction", "unheard of");
            token = await shared.Source.CaptureTokenAsync(Stop);
        }

        using var session = slow.BeginSession(token);
        (await CountAsync(slow, "unheard of", Consistency.Session)).ShouldBe(1);
        reports.ShouldBe(0);
    }

    [Theory]
    [InlineData("expired", "Session")]
    [InlineData("expired", "ReadYourWrites")]
    [InlineData("expired", "MonotonicReads")]
    [InlineData("signed with another key", "Session")]
    [InlineData("signed with another key", "MonotonicReads")]
    [InlineData("unsigned", "Session")]
    [InlineData("unsigned", "MonotonicReads")]
    public async Task A_token_that_fails_validation_means_unknown_and_never_fresh(string what, string level)
    {
        var id = await Cluster.MakeItemAsync("v4");
        await PauseAsync();
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        using var log = new RecordedLog();
        await using var source = await shared.ConnectAsync(b => (b.Options.TokenKey, b.LoggerFactory) = (Key, log));
        var position = new WalPosition(1, await Cluster.Primary.QueryAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()"));
        var token = TokenOf(
            source, position, position,
            key: what switch { "expired" => Key, "unsigned" => null, _ => Key + " that is not shared" },
            epoch: what == "expired" ? TimeSpan.FromSeconds(-2) : TimeSpan.FromHours(1));

        using var session = source.BeginSession(token);
        (await source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}", Consistency.Parse(level)))
            .ShouldBe(("v5", Cluster.Primary.Port));
        log.Entries.ShouldContain(e => e.Event == "TokenRejected");
    }

    [Fact]
    public async Task A_token_that_was_captured_in_doubt_sends_its_reader_to_the_primary()
    {
        await PauseAsync();
        var id = await Cluster.MakeItemAsync("v5");
        await using var elsewhere = await shared.ConnectAsync();
        foreach (var level in (Consistency[])[Consistency.Session, Consistency.ReadYourWrites])
        {
            CausalToken token;
            using (var writer = shared.Source.BeginSession())
            {
                writer.MarkWritten();
                token = shared.Source.Tokens.Of(writer, ConsistencyDemands.Written | ConsistencyDemands.Observed);
            }

            token.IsUnknown.ShouldBeTrue();
            using var session = elsewhere.BeginSession(token);
            (await NameAsync(elsewhere, id, level)).ShouldBe("v5");
        }
    }

    private async Task PauseAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    private TidemarkDataSource Build()
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in Cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        return builder.Build();
    }

    private async Task WriteAsync(string by, string name)
    {
        if (by == "a command")
        {
            await shared.Source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')");
            return;
        }

        await using var context = shared.CreateContext();
        await using var transaction = by == "SaveChanges" ? null : await context.Database.BeginTransactionAsync(Stop);
        context.Add(new Item { Name = name });
        await context.SaveChangesAsync(Stop);
        if (transaction is not null) await transaction.CommitAsync(Stop);
    }

    private static async Task<long> CountAsync(TidemarkDataSource source, string name, Consistency level) =>
        (await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'", level)).Value;

    private static async Task<string?> NameAsync(TidemarkDataSource source, int id, Consistency? level = null) =>
        (await source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}", level)).Value;

    private static CausalToken TokenOf(TidemarkDataSource source, WalPosition? written, WalPosition? seen, string? key,
        TimeSpan? epoch = null) => new(
        source.Cluster.Monitor.Snapshot.SystemIdentifier, written, seen, unknown: null,
        DateTimeOffset.UtcNow + (epoch ?? TimeSpan.FromHours(1)), TimelineChain.Empty, CausalToken.KeyOf(key));
}

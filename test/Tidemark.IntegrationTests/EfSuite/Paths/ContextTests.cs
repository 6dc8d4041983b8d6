using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace Tidemark.EfSuite;

/// <summary>Settings of a context, its options and third-party interceptors also apply to what runs on a replica.</summary>
public sealed class ContextTests(JournalCluster shared) : IClassFixture<JournalCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_port_of_a_commands_connection_is_that_of_the_server_that_answers()
    {
        foreach (var node in shared.Cluster.Nodes)
        {
            var sent = new Sent();
            await using var context = new JournalContext(shared.RoutedOptions(sent, null));
            var port = await context.Notes.OnNode(node.Name).Select(n => JournalContext.ServerPort()).FirstAsync(Stop);
            port.ShouldBe(node.Port);
            sent.Ports.ShouldBe([port]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_interceptor_sets_the_tenant_on_every_node_before_the_first_command(bool sync)
    {
        var sent = new Sent();
        await using var context = new JournalContext(shared.RoutedOptions(sent, o => o.AddInterceptors(new Tenant())));
        var tenants = context.Notes.AsNoTracking().Select(n => JournalContext.Setting("app.tenant", true));
        foreach (var node in shared.Cluster.Nodes)
            (sync ? tenants.OnNode(node.Name).First() : await tenants.OnNode(node.Name).FirstAsync(Stop)).ShouldBe("acme");
        (sync ? tenants.First() : await tenants.FirstAsync(Stop)).ShouldBe("acme");
        shared.NodesOf(sent).ShouldBe("PR");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Openings_on_a_replica_are_logged_without_an_interceptor(bool sync)
    {
        var log = new List<string>();
        await using var context =
            new JournalContext(shared.RoutedOptions(new Sent(), o => o.LogTo(log.Add, [RelationalEventId.ConnectionOpened])));
        var notes = context.Notes.AsNoTracking().OnNode("pg-2");
        _ = sync ? notes.ToList() : await notes.ToListAsync(Stop);
        log.ShouldHaveSingleItem().ShouldContain($":{shared.Cluster["pg-2"].Port}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_contexts_timeout_applies_on_a_replica_and_not_to_the_next_user_of_the_pool(bool sync)
    {
        var timeouts = new Timeouts();
        var factory = new PooledDbContextFactory<JournalContext>(
            shared.RoutedOptions(new Sent(), o => o.AddInterceptors(timeouts).UseNpgsql(n => n.CommandTimeout(7))), poolSize: 1);
        async Task ReadAsync(int? seconds)
        {
            await using var context = factory.CreateDbContext();
            if (seconds is { } given) context.Database.SetCommandTimeout(given);
            _ = sync ? context.Notes.AsNoTracking().ToList() : await context.Notes.AsNoTracking().ToListAsync(Stop);
            _ = sync ? context.Notes.ToList() : await context.Notes.ToListAsync(Stop);
        }

        await ReadAsync(null);
        await ReadAsync(23);
        await ReadAsync(null);
        timeouts.Seconds.ShouldBe([7, 7, 23, 23, 7, 7]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_interceptor_that_rewrites_commands_applies_to_reads_and_writes(bool sync)
    {
        await shared.FillAsync();
        using var session = shared.Source.BeginSession();
        await using var context = new JournalContext(shared.RoutedOptions(new Sent(), o => o.AddInterceptors(new Rewriter())));
        var update = context.Notes.Where(n => n.Text == "before");
        (sync ? update.ExecuteUpdate(u => u.SetProperty(n => n.Text, "x"))
            : await update.ExecuteUpdateAsync(u => u.SetProperty(n => n.Text, "x"), Stop)).ShouldBe(1);
        await shared.Cluster.WaitForReplayAsync(Stop);
        var read = context.Notes.AsNoTracking().Where(n => n.Text == "before");
        (sync ? read.Count() : await read.CountAsync(Stop)).ShouldBe(0, "note 1 has another text now");
        context.Add(new Reply { Text = "before", NoteId = 1 });
        _ = sync ? context.SaveChanges() : await context.SaveChangesAsync(Stop);
        (await context.Replies.IgnoreQueryFilters().CountAsync(r => r.Id > 7, Stop)).ShouldBe(1);
    }

    [Fact]
    public async Task A_query_on_the_primary_may_run_within_a_stream_from_a_replica()
    {
        await shared.FillAsync();

        // Plain EF Core has one connection, which the stream keeps busy. With Tidemark, the context uses two.
        await using var context = new JournalContext(shared.RoutedOptions(new Sent(), null));
        var replies = 0;
        await foreach (var note in context.Notes.AsNoTracking().AsAsyncEnumerable())
            replies += (await context.Replies.Where(r => r.NoteId == note.Id).ToListAsync(Stop)).Count;
        replies.ShouldBe(7);
    }

    [Fact]
    public async Task UseTidemark_twice_has_the_effect_of_one_call()
    {
        await shared.FillAsync();
        var sent = new Sent();
        await using var context = new JournalContext(shared.RoutedOptions(sent, o => o.UseTidemark(shared.Source)));
        await context.Notes.AsNoTracking().ToListAsync(Stop);
        context.AddRange(new Note { Text = "a" }, new Note { Text = "b" });
        (await context.SaveChangesAsync(Stop)).ShouldBe(2);
        (await context.Notes.AsNoTracking().CountAsync(Stop)).ShouldBe(7);
    }

    [Fact]
    public async Task Contexts_on_two_clusters_each_read_and_write_their_own()
    {
        await shared.FillAsync();
        await shared.Cluster.Primary.RunAsync("DROP DATABASE IF EXISTS second");
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in shared.Cluster.Nodes)
            builder.AddNode($"second-{node.Name}",
                new NpgsqlConnectionStringBuilder(node.ConnectionString) { Database = "second" }.ConnectionString);
        builder.ConfigureNodes(node => node.MapEnum<Mood>("mood"));
        await using var second = builder.Build();
        await using var ours = new JournalContext(shared.RoutedOptions(new Sent(), null));
        await using var theirs = new JournalContext(
            new DbContextOptionsBuilder<JournalContext>().UseTidemark(second, n => n.MapEnum<Mood>("mood")).Options);
        await theirs.Database.EnsureCreatedAsync(Stop);
        theirs.Add(new Note { Text = "theirs", Mood = Mood.Cross });
        await theirs.SaveChangesAsync(Stop);
        (await theirs.Notes.AsNoTracking().Select(n => n.Text).ToListAsync(Stop)).ShouldBe(["theirs"]);
        (await ours.Notes.AsNoTracking().CountAsync(Stop)).ShouldBe(5);
        (await theirs.Notes.AsNoTracking().Select(n => n.Mood).SingleAsync(Stop)).ShouldBe(Mood.Cross);
    }

    [Fact]
    public async Task A_context_that_uses_another_database_does_not_change_the_pools()
    {
        async Task<int> BackendAsync()
        {
            await using var context = new JournalContext(shared.RoutedOptions(new Sent(), null));
            return await context.Notes.OnNode("pg-2").Select(n => JournalContext.Backend()).FirstAsync(Stop);
        }

        var before = await BackendAsync();
        await using (var visitor = new JournalContext(shared.RoutedOptions(new Sent(), null)))
        {
            visitor.Database.SetConnectionString(
                shared.Cluster.Primary.ConnectionString.Replace("Database=", "Database=postgres;Application Name=",
                StringComparison.Ordinal));
            await visitor.Database.ExecuteSqlRawAsync("SELECT 1", Stop);
            await visitor.Database.OpenConnectionAsync(Stop);
        }

        (await BackendAsync()).ShouldBe(before);
    }

    private sealed class Tenant : DbConnectionInterceptor
    {
        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
        {
            using var command = Set(connection);
            command.ExecuteNonQuery();
        }

        public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData,
            CancellationToken cancellationToken = default)
        {
            await using var command = Set(connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        private static DbCommand Set(DbConnection connection)
        {
            var command = connection.CreateCommand();
            command.CommandText = "SELECT set_config('app.tenant', 'acme', false)";
            return command;
        }
    }

    private sealed class Timeouts : DbCommandInterceptor
    {
        public List<int> Seconds { get; } = [];

        public override DbCommand CommandInitialized(CommandEndEventData eventData, DbCommand result)
        {
            Seconds.Add(result.CommandTimeout);
            return result;
        }
    }

    /// <summary>Replaces the text of a command that contains <c>'before'</c>.</summary>
    private sealed class Rewriter : DbCommandInterceptor
    {
        public override DbCommand CommandInitialized(CommandEndEventData eventData, DbCommand result)
        {
            result.CommandText = result.CommandText.Replace("'before'", "'note 1'", StringComparison.Ordinal);
            return result;
        }
    }
}

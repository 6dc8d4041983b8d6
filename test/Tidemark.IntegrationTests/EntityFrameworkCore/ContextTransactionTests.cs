using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Tidemark;

/// <summary>Transactions of a context: commits that wait for replicas, and snapshots on a replica.</summary>
public sealed class ContextTransactionTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_RemoteApply_commit_of_a_context_every_synchronous_replica_shows_the_row(bool isAsync)
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(100), Stop);
        try
        {
            await using var context = shared.CreateContext();
            var name = $"applied {isAsync}";
            await using (var transaction = isAsync
                ? await context.Database.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop)
                : context.Database.BeginTransaction(SynchronousCommit.RemoteApply, IsolationLevel.Serializable))
            {
                (await SettingAsync(context)).ShouldBe("remote_apply");
                context.Add(new Item { Name = name });
                await context.SaveChangesAsync(Stop);
                if (isAsync) await transaction.CommitAsync(Stop);
                else transaction.Commit();
            }

            foreach (var replica in shared.Cluster.Replicas)
                (await replica.QueryAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).ShouldBe(1);
            OptionalRouting.Of(context)!.Session.Written.ShouldNotBeNull();
            (await SettingAsync(context)).ShouldBe("local");
        }
        finally
        {
            foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
            await shared.Cluster.WaitForReplayAsync(Stop);
        }
    }

    [Fact]
    public async Task A_cancelled_wait_for_replicas_is_reported_and_the_row_is_committed()
    {
        var log = new RecordedLog();
        await using var source = await shared.ConnectAsync(b => b.LoggerFactory = log);
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        try
        {
            await using var context = shared.CreateContext(source);
            await using var transaction =
                await context.Database.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
            context.Add(new Item { Name = "not waited for" });
            await context.SaveChangesAsync(Stop);
            var backend = ((NpgsqlConnection)context.Database.GetDbConnection()).ProcessID;
            var commit = transaction.CommitAsync(Stop);
            await shared.Cluster.Primary.UntilAsync<bool>(
                $"SELECT coalesce(wait_event = 'SyncRep', false) FROM pg_stat_activity WHERE pid = {backend}", isWaiting => isWaiting);
            await shared.Cluster.Primary.RunAsync($"SELECT pg_cancel_backend({backend})");
            await commit;

            log.Entries.ShouldContain(e => e.Event == "CommitWaitCancelled");
            (await shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'not waited for'")).ShouldBe(1);
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Theory]
    [InlineData(true, "commit")]
    [InlineData(false, "commit")]
    [InlineData(true, "rollback")]
    [InlineData(false, "rollback")]
    [InlineData(true, "dispose")]
    [InlineData(false, "dispose")]
    public async Task Every_query_of_a_context_in_a_report_uses_one_snapshot_on_one_replica(bool isAsync, string end)
    {
        await using var context = shared.CreateRuleContext();
        var report = isAsync
            ? await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop) : context.Database.BeginReadOnlyTransaction();
        context.Database.CurrentTransaction.ShouldBe(report);
        var before = await context.Wishes.CountAsync(Stop);
        await shared.Cluster.Primary.RunAsync("INSERT INTO wishes SELECT coalesce(max(id), 0) + 1, 1, 'meanwhile' FROM wishes");
        await shared.Cluster.WaitForReplayAsync(Stop);

        (await context.Wishes.CountAsync(Stop)).ShouldBe(before);
        await context.Wishes.AsTracking().ToListAsync(Stop);
        await context.Profiles.ToListAsync(Stop);
        _ = context.Wishes.WithConsistency(Consistency.Strong).Count();
        await context.Profiles.Include(p => p.Wishes).AsSplitQuery().OrderBy(p => p.Id).ToListAsync(Stop);
        (await context.Wishes.FromSqlRaw("SELECT * FROM wishes").CountAsync(Stop)).ShouldBe(before);
        var node = shared.NodesOf(context).Distinct().ShouldHaveSingleItem();
        node.ShouldNotBe("pg-1");
        context.Wishes.ExplainRoute()
            .ShouldSatisfyAllConditions(d => d.Node.ShouldBe(node), d => d.Reason.ShouldBe(RouteReason.Transaction));

        switch (end, isAsync)
        {
            case ("commit", true): await report.CommitAsync(Stop); break;
            case ("commit", false): report.Commit(); break;
            case ("rollback", true): await report.RollbackAsync(Stop); break;
            case ("rollback", false): report.Rollback(); break;
            default: break;
        }

        if (isAsync) await report.DisposeAsync();
        else report.Dispose();

        // The context works as before: it reads new data, and writes to the primary.
        context.Database.CurrentTransaction.ShouldBeNull();
        (await context.Wishes.CountAsync(Stop)).ShouldBe(before + 1);
        (await context.Wishes.Where(w => w.Id == 1).ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "after the report"), Stop))
            .ShouldBe(1);
        (await context.Wishes.Where(w => w.Kind == "after the report").CountAsync(Stop)).ShouldBe(1);
        (await shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM wishes WHERE kind = 'after the report'")).ShouldBe(1);
        await context.Database.ExecuteSqlRawAsync("UPDATE wishes SET kind = 'a lighthouse'", Stop);
    }

    [Fact]
    public async Task Writes_in_a_report_are_refused_by_name_and_the_report_continues()
    {
        await using var context = shared.CreateRuleContext();
        await using var report = await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop);
        context.Add(new ProfileWish { Id = 7777, ProfileId = 1, Kind = "no" });
        var writes = new Dictionary<string, Func<Task>>
        {
            ["SaveChanges was called"] = () => context.SaveChangesAsync(Stop),
            ["SaveChanges was called in"] = () => Task.Run(() => context.SaveChanges(), Stop),
            ["ExecuteUpdate or ExecuteDelete was called"] = () => context.Wishes.ExecuteDeleteAsync(Stop),
            ["ExecuteUpdate or ExecuteDelete was called in"] = () =>
                context.Wishes.ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "no"), Stop),
            ["ExecuteSql was called"] = () => context.Database.ExecuteSqlRawAsync("DELETE FROM wishes", Stop),
        };
        foreach (var (words, write) in writes)
        {
            var error = await Should.ThrowAsync<InvalidOperationException>(write);
            error.Message.ShouldContain(words);
            error.Message.ShouldContain("read-only transaction");
        }

        (await context.Wishes.CountAsync(Stop)).ShouldBeGreaterThan(0);
        (await Should.ThrowAsync<PostgresException>(() => context.Wishes.FromSqlRaw("INSERT INTO wishes VALUES (-1, 1, 'no') RETURNING *")
            .ToListAsync(Stop)))
            .SqlState.ShouldBe(PostgresErrorCodes.ReadOnlySqlTransaction);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_report_includes_its_sessions_writes_and_binds_the_sessions_later_reads(bool isAsync)
    {
        await shared.Cluster["pg-3"].PauseReplayAsync(Stop);
        try
        {
            await using var context = shared.CreateRuleContext();
            var kind = $"reported {isAsync}";
            await context.Wishes.ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, kind), Stop);
            await using (isAsync
                ? await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop)
                : context.Database.BeginReadOnlyTransaction())
                (await context.Wishes.Where(w => w.Kind == kind).AnyAsync(Stop)).ShouldBeTrue();

            // Another session, which has observed only what the report showed.
            using var session = shared.Source.BeginSession();
            await using var reader = shared.CreateRuleContext();
            await shared.Cluster.Primary.RunAsync($"UPDATE wishes SET kind = '{kind}, seen'");
            await shared.Cluster["pg-2"].WaitForReplayAsync(Stop);
            using (shared.Source.RequireNode("pg-2"))
            {
                await using (isAsync
                    ? await reader.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop)
                    : reader.Database.BeginReadOnlyTransaction())
                    (await reader.Wishes.Where(w => w.Kind == kind + ", seen").AnyAsync(Stop)).ShouldBeTrue();
            }

            for (var i = 0; i < 10; i++)
            {
                await using var next = shared.CreateRuleContext();
                (await next.Wishes.Where(w => w.Kind == kind + ", seen").AnyAsync(Stop)).ShouldBeTrue();
            }
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Fact]
    public async Task A_report_is_refused_if_serializable_or_a_transaction_or_connection_is_open()
    {
        await using var context = shared.CreateContext();
        await using (await context.Database.BeginTransactionAsync(Stop))
            (await Should.ThrowAsync<InvalidOperationException>(() =>
                context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop))).Message.ShouldContain("End the transaction");
        await context.Database.OpenConnectionAsync(Stop);
        Should.Throw<InvalidOperationException>(() => context.Database.BeginReadOnlyTransaction())
            .Message.ShouldContain("connection is open");
        await context.Database.CloseConnectionAsync();
        Should.Throw<ArgumentException>(() => context.Database.BeginReadOnlyTransaction(isolation: IsolationLevel.Serializable));

        await using (await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop))
            await Should.ThrowAsync<InvalidOperationException>(() => context.Database.BeginTransactionAsync(Stop));
    }

    [Fact]
    public async Task A_context_that_is_disposed_within_a_report_returns_its_connection()
    {
        await using var source = await shared.ConnectAsync(b =>
        {
            foreach (var node in b.Options.Nodes.Values) node.MaxPoolSize = 1;
        });
        for (var i = 0; i < 4; i++)
        {
            var context = shared.CreateContext(source);
            using var there = source.RequireNode("pg-2");
            await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop);
            (await context.Items.AsNoTracking().CountAsync(Stop)).ShouldBeGreaterThan(0);
            await context.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_pooled_context_that_was_left_in_a_report_is_reused_without_it()
    {
        await using var services = new ServiceCollection().AddSingleton(shared.Source)
            .AddDbContextPool<StoreContext>((provider, db) => db.UseTidemark(provider), poolSize: 1).BuildServiceProvider();
        for (var i = 0; i < 3; i++)
        {
            await using var scope = services.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<StoreContext>();
            context.Database.CurrentTransaction.ShouldBeNull();
            context.Add(new Item { Name = $"pooled {i}" });
            await context.SaveChangesAsync(Stop);
            await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop);
            (await context.Items.CountAsync(item => item.Name == $"pooled {i}", Stop)).ShouldBe(1);
        }
    }

    [Fact]
    public async Task On_a_lone_node_a_report_is_read_only_and_the_context_writes_again_afterwards()
    {
        await using var source = new TidemarkDataSourceBuilder().AddNode("pg-1", shared.Cluster.Primary.ConnectionString).Build();
        await using var context = shared.CreateContext(source);
        await using (await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop))
        {
            (await Should.ThrowAsync<PostgresException>(() => context.Items.FromSqlRaw("INSERT INTO items (name) VALUES ('no') RETURNING *")
                .ToListAsync(Stop)))
                .SqlState.ShouldBe(PostgresErrorCodes.ReadOnlySqlTransaction);
        }

        context.Add(new Item { Name = "alone" });
        (await context.SaveChangesAsync(Stop)).ShouldBe(1);
    }

    [Fact]
    public async Task A_query_in_a_transaction_that_names_another_node_is_refused()
    {
        await using var context = shared.CreateContext();
        await using var transaction = await context.Database.BeginTransactionAsync(Stop);
        await context.Items.OnNode("pg-1").ToListAsync(Stop);
        (await Should.ThrowAsync<InvalidOperationException>(() => context.Items.OnNode("pg-2").ToListAsync(Stop)))
            .Message.ShouldContain("The query names node 'pg-2', but the context is in a transaction (or its connection is open) on "
                + "'pg-1'");
    }

    private static Task<string> SettingAsync(StoreContext context) =>
        context.Database.SqlQueryRaw<string>("SELECT current_setting('synchronous_commit') AS \"Value\"").SingleAsync(Stop);

    private async Task ResumeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }
}

using System.Data;
using Dapper;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>What a commit waited for, as shown by the replicas when the commit returns.</summary>
public sealed class SynchronousCommitTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<bool> AsyncOrNot => [true, false];

    [Theory]
    [MemberData(nameof(AsyncOrNot))]
    public async Task After_a_RemoteApply_commit_every_synchronous_replica_shows_the_row(bool isAsync)
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(100), Stop);
        var lacking = 0;
        for (var i = 0; i < 5; i++)
        {
            await InsertAsync(SynchronousCommit.RemoteApply, $"applied {i} {isAsync}", isAsync);
            foreach (var replica in shared.Cluster.Replicas) (await CountAsync(replica, $"applied {i} {isAsync}")).ShouldBe(1);

            await InsertAsync(SynchronousCommit.Local, $"local {i} {isAsync}", isAsync);
            foreach (var replica in shared.Cluster.Replicas) lacking += 1 - (int)await CountAsync(replica, $"local {i} {isAsync}");
        }

        // Proves that the delay is in effect.
        lacking.ShouldBeGreaterThan(5);
        foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
    }

    [Theory]
    [InlineData(SynchronousCommit.Local, "local")]
    [InlineData(SynchronousCommit.RemoteWrite, "remote_write")]
    [InlineData(SynchronousCommit.On, "on")]
    [InlineData(SynchronousCommit.RemoteApply, "remote_apply")]
    [InlineData(SynchronousCommit.Off, "off")]
    public async Task A_transactions_commit_level_is_reset_on_its_connection_afterwards(SynchronousCommit asked,
        string setting)
    {
        await using (var transaction = await shared.Source.BeginTransactionAsync(asked, IsolationLevel.Serializable, Stop))
        {
            (await transaction.Connection.ExecuteScalarAsync<string>("SHOW synchronous_commit")).ShouldBe(setting);
            (await transaction.Connection.ExecuteScalarAsync<string>("SHOW transaction_isolation")).ShouldBe("serializable");
            await transaction.CommitAsync(Stop);
        }

        await using var connection = await shared.Source.OpenWriteConnectionAsync(Stop);
        (await connection.ExecuteScalarAsync<string>("SHOW synchronous_commit")).ShouldBe("local");
    }

    [Theory]
    [InlineData(SynchronousCommit.RemoteApply, true)]
    [InlineData(SynchronousCommit.RemoteApply, false)]
    [InlineData(SynchronousCommit.Off, true)]
    public async Task The_session_has_the_position_of_the_commit_at_once(SynchronousCommit asked, bool isAsync)
    {
        using var session = shared.Source.BeginSession();
        await InsertAsync(asked, $"known {asked} {isAsync}", isAsync);

        session.Written.ShouldNotBeNull();
        session.IsUnknown.ShouldBeFalse();
        await using var read = shared.CreateContext();
        read.Items.Count(i => i.Name == $"known {asked} {isAsync}").ShouldBe(1);
    }

    [Theory]
    [InlineData("rollback")]
    [InlineData("rollback, sync")]
    [InlineData("dispose")]
    [InlineData("dispose, sync")]
    public async Task A_transaction_that_was_rolled_back_does_not_change_the_session(string how)
    {
        using var session = shared.Source.BeginSession();
        var transaction = await shared.Source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
        await Insert(transaction, how);
        switch (how)
        {
            case "rollback": await transaction.RollbackAsync(Stop); break;
            case "rollback, sync": transaction.Rollback(); break;
            case "dispose": await transaction.DisposeAsync(); break;
            default: transaction.Dispose(); break;
        }

        (session.Written, session.IsUnknown).ShouldBe((null, false));
        (await CountAsync(shared.Cluster.Primary, how)).ShouldBe(0);
        transaction.Connection.State.ShouldBe(ConnectionState.Closed);
        await transaction.DisposeAsync();
        await Should.ThrowAsync<InvalidOperationException>(async () => await transaction.CommitAsync(Stop));
        Should.Throw<InvalidOperationException>(transaction.Rollback);
    }

    [Theory]
    [MemberData(nameof(AsyncOrNot))]
    public async Task The_commit_of_a_failed_transaction_reports_that_nothing_is_committed(bool isAsync)
    {
        using var session = shared.Source.BeginSession();
        await using var transaction = await shared.Source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
        await Insert(transaction, "failed");
        await Should.ThrowAsync<PostgresException>(() => transaction.Connection.ExecuteAsync("SELECT 1/0"));

        (await Should.ThrowAsync<InvalidOperationException>(async () =>
        {
            if (isAsync) await transaction.CommitAsync(Stop);
            else transaction.Commit();
        })).Message.ShouldContain("nothing was committed");
        (await CountAsync(shared.Cluster.Primary, "failed")).ShouldBe(0);
        (session.Written, session.IsUnknown).ShouldBe((null, false));
    }

    [Fact]
    public async Task A_transaction_committed_by_its_inner_transaction_is_a_pending_write()
    {
        using var session = shared.Source.BeginSession();
        await using (var transaction = await shared.Source.BeginTransactionAsync(SynchronousCommit.Local, cancellationToken: Stop))
        {
            await Insert(transaction, "behind");
            await transaction.Transaction.CommitAsync(Stop);
            await Should.ThrowAsync<InvalidOperationException>(async () => await transaction.CommitAsync(Stop));
        }

        session.IsUnknown.ShouldBeTrue();
        await using var read = shared.CreateContext();
        read.Items.Count(i => i.Name == "behind").ShouldBe(1);
    }

    [Fact]
    public async Task A_commit_cancelled_before_it_is_sent_throws_and_the_transaction_is_still_open()
    {
        await using var transaction = await shared.Source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
        await Insert(transaction, "twice");
        await Should.ThrowAsync<OperationCanceledException>(async () =>
            await transaction.CommitAsync(new CancellationToken(canceled: true)));
        await transaction.CommitAsync(Stop);
        (await CountAsync(shared.Cluster.Primary, "twice")).ShouldBe(1);
    }

    [Theory]
    [InlineData("token")]
    [InlineData("statement_timeout")]
    [InlineData("pg_cancel_backend")]
    public async Task A_cancelled_wait_for_replicas_is_reported_and_the_session_reads_the_row(string how)
    {
        var log = new TidemarkLog();
        await using var source = await shared.ConnectAsync(b => b.LoggerFactory = log);
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        try
        {
            using var session = source.BeginSession();
            using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            await using var transaction = await source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
            await Insert(transaction, how);
            if (how == "statement_timeout") await transaction.Connection.ExecuteAsync("SET LOCAL statement_timeout = '200ms'");
            var backend = transaction.Connection.ProcessID;

            var commit = transaction.CommitAsync(cancellation.Token).AsTask();
            if (how != "statement_timeout")
            {
                while (!commit.IsCompleted && !await shared.Cluster.Primary.QueryAsync<bool>($"SELECT coalesce(wait_event = 'SyncRep', "
                    + $"false) FROM pg_stat_activity WHERE pid = {backend}")) Stop.ThrowIfCancellationRequested();
                commit.IsCompleted.ShouldBeFalse();
                if (how == "token") await cancellation.CancelAsync();
                else await shared.Cluster.Primary.RunAsync($"SELECT pg_cancel_backend({backend})");
            }

            await commit;
            transaction.IsWaitCancelled.ShouldBeTrue();
            log.Messages.ShouldContain(m =>
                m.Contains("The transaction is committed, but replicas may not have it", StringComparison.Ordinal));
            (await CountAsync(shared.Cluster.Primary, how)).ShouldBe(1);
            session.Written.ShouldNotBeNull();
            await using var read = shared.CreateContext(source);
            read.Items.Count(i => i.Name == how).ShouldBe(1);
        }
        finally
        {
            foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
            await shared.Cluster.WaitForReplayAsync(Stop);
        }
    }

    [Fact]
    public async Task An_uncancelled_wait_is_not_reported_as_cancelled()
    {
        await using var transaction = await shared.Source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop);
        await transaction.Connection.ExecuteAsync("DO $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; END $$");
        await transaction.CommitAsync(Stop);
        transaction.IsWaitCancelled.ShouldBeFalse();
    }

    [Fact]
    public async Task Waiting_for_replicas_without_any_synchronous_one_is_logged_once()
    {
        await SetStandbyNamesAsync("ALTER SYSTEM SET synchronous_standby_names = ''", names => names.Length == 0);
        try
        {
            var log = new TidemarkLog();
            await using var source = await shared.ConnectAsync(b => b.LoggerFactory = log);
            await using (await source.BeginTransactionAsync(SynchronousCommit.Local, cancellationToken: Stop)) { }
            await using (await source.BeginTransactionAsync(SynchronousCommit.Off, cancellationToken: Stop)) { }
            Advice(log).ShouldBeEmpty();

            await using (await source.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop)) { }
            await using (source.BeginTransaction(SynchronousCommit.On)) { }
            Advice(log).ShouldHaveSingleItem().ShouldContain("synchronous_commit = remote_apply");
        }
        finally
        {
            await SetStandbyNamesAsync("ALTER SYSTEM RESET synchronous_standby_names", names => names.Length > 0);
        }

        var quiet = new TidemarkLog();
        await using var healthy = await shared.ConnectAsync(b => b.LoggerFactory = quiet);
        await using (await healthy.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop)) { }
        Advice(quiet).ShouldBeEmpty();

        static string[] Advice(TidemarkLog log) =>
            [.. log.Messages.Where(m => m.Contains("synchronous_standby_names", StringComparison.Ordinal))];
    }

    [Fact]
    public async Task The_snapshot_of_a_repeatable_read_transaction_is_left_to_its_first_statement()
    {
        await using var transaction =
            await shared.Source.BeginTransactionAsync(SynchronousCommit.Local, IsolationLevel.RepeatableRead, Stop);
        await InsertAsync(SynchronousCommit.Local, "meanwhile", isAsync: true);
        (await transaction.Connection.ExecuteScalarAsync<long>("SELECT count(*) FROM items WHERE name = 'meanwhile'")).ShouldBe(1);
    }

    private async Task InsertAsync(SynchronousCommit level, string name, bool isAsync)
    {
        if (isAsync)
        {
            await using var transaction = await shared.Source.BeginTransactionAsync(level, cancellationToken: Stop);
            await Insert(transaction, name);
            await transaction.CommitAsync(Stop);
        }
        else
        {
            using var transaction = shared.Source.BeginTransaction(level);
            await Insert(transaction, name);
            transaction.Commit();
        }
    }

    private static Task<int> Insert(TidemarkTransaction transaction, string name) =>
        transaction.Connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name }, transaction.Transaction);

    private static Task<long> CountAsync(LocalNode node, string name) =>
        node.QueryAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'");

    private async Task SetStandbyNamesAsync(string sql, Func<string, bool> isSet)
    {
        await shared.Cluster.Primary.RunAsync(sql);
        await shared.Cluster.Primary.RunAsync("SELECT pg_reload_conf()");
        while (!isSet(await shared.Cluster.Primary.QueryAsync<string>("SHOW synchronous_standby_names")))
            Stop.ThrowIfCancellationRequested();
    }
}

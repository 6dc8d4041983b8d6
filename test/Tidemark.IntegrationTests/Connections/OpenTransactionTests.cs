using System.Transactions;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Writes that are committed after their connection was closed, or that do not wait for their flush. A position counts only if it was
/// sampled after the commit.
/// </summary>
public sealed class OpenTransactionTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private delegate Task Way(StoreCluster store, string name);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static readonly Dictionary<string, Way> InScopes = new()
    {
        ["a command"] = (store, name) => store.Source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')"),
        ["a command, sync"] = async (store, name) =>
        {
            await using var command = store.Source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}')");
            command.ExecuteNonQuery();
        },
        ["a read that writes"] = async (store, name) =>
        {
            await using var command = store.Source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}') RETURNING id");
            await command.ExecuteScalarAsync(Stop);
        },
        ["EF, a save"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            context.Add(new Item { Name = name });
            await context.SaveChangesAsync(Stop);
        },
        ["EF, a save of several"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            context.AddRange(new Item { Name = name }, new Item { Name = name + "'" });
            await context.SaveChangesAsync(Stop);
        },
        ["EF, ExecuteUpdate"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            await context.Items.Where(i => i.Id == 1).ExecuteUpdateAsync(set => set.SetProperty(i => i.Name, name), Stop);
        },
        ["Dapper on a connection"] = async (store, name) =>
        {
            await using var connection = store.Source.CreateConnection();
            await connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
        },
        ["a scope within"] = async (store, name) =>
        {
            using var inner = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            await store.Source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')");
            inner.Complete();
        },
        ["two commands"] = async (store, name) =>
        {
            await store.Source.WriteAsync("SELECT 1");
            await store.Source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')");
        },
    };

    private static readonly Dictionary<string, Func<StoreCluster, string, Task>> Asynchronous = new()
    {
        ["a function"] = (store, name) => store.Source.WriteAsync($"SELECT quiet_insert('{name}')"),
        ["a trigger"] = (store, name) => store.Source.WriteAsync($"INSERT INTO quiet_items (name) VALUES ('{name}')"),
        ["a deferred trigger"] = (store, name) => store.Source.WriteAsync($"INSERT INTO late_items (name) VALUES ('{name}')"),
        ["a DO block"] = (store, name) => store.Source.WriteAsync(
            $"DO $$ BEGIN PERFORM set_config('synchronous_commit', 'off', true); INSERT INTO items (name) VALUES ('{name}'); END $$"),
        ["a function in a context"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            await context.Database.ExecuteSqlAsync($"SELECT quiet_insert({name})", Stop);
        },
        ["a deferred trigger at COMMIT"] = async (store, name) =>
        {
            await using var transaction = await store.Source.BeginTransactionAsync(SynchronousCommit.On, cancellationToken: Stop);
            await transaction.Connection.ExecuteAsync("INSERT INTO late_items (name) VALUES (@name)", new { name });
            await transaction.CommitAsync(Stop);
        },
        ["a deferred trigger at the COMMIT of a context"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            await using var transaction = await context.Database.BeginTransactionAsync(Stop);
            await context.Database.ExecuteSqlAsync($"INSERT INTO late_items (name) VALUES ({name})", Stop);
            await transaction.CommitAsync(Stop);
        },
    };

    public static TheoryData<string> Scoped => [.. InScopes.Keys];

    public static TheoryData<string> Quiet => [.. Asynchronous.Keys];

    public async ValueTask InitializeAsync()
    {
        await shared.Cluster.Primary.RunAsync("""
            CREATE OR REPLACE FUNCTION quiet_insert(text) RETURNS void LANGUAGE plpgsql AS $$
                BEGIN PERFORM set_config('synchronous_commit', 'off', true); INSERT INTO items (name) VALUES ($1); END $$;
            CREATE OR REPLACE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM set_config('synchronous_commit', 'off', true); INSERT INTO items (name) VALUES (NEW.name); RETURN NEW; END $$;
            CREATE TABLE IF NOT EXISTS quiet_items (name text); CREATE TABLE IF NOT EXISTS late_items (name text);
            DROP TRIGGER IF EXISTS quiet ON quiet_items;
            CREATE TRIGGER quiet BEFORE INSERT ON quiet_items FOR EACH ROW EXECUTE FUNCTION quiet();
            DROP TRIGGER IF EXISTS late ON late_items;
            CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION quiet()
            """);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [MemberData(nameof(Scoped))]
    public async Task A_write_in_a_transaction_scope_is_read_back_after_the_scope(string way)
    {
        foreach (var reads in (bool[])[false, true])
        {
            using var session = shared.Source.BeginSession();
            var name = $"{way}, reads: {reads}";
#pragma warning disable CA2000 // The block disposes of it.
            using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
#pragma warning restore CA2000
            {
                await InScopes[way](shared, name);

                // What a replica has replayed so far does not include the commit. It has reached a position from before the commit.
                await PauseAsync();
                if (reads) await CountAsync(name);
                scope.Complete();
            }

            (await CountAsync(name)).ShouldBe(1, name);
            await ResumeAsync();
        }
    }

    [Fact]
    public async Task A_scope_that_ends_on_another_thread_ends_the_write()
    {
        using var session = shared.Source.BeginSession();
        using var transaction = new CommittableTransaction();
        using (var scope = new TransactionScope(transaction, TransactionScopeAsyncFlowOption.Enabled))
        {
            await InScopes["a command"](shared, "elsewhere");
            scope.Complete();
        }

        await PauseAsync();
        (await CountAsync("elsewhere")).ShouldBe(0);
        var other = new Thread(transaction.Commit);
        other.Start();
        other.Join();
        (await CountAsync("elsewhere")).ShouldBe(1);
    }

    [Fact]
    public async Task A_scope_that_is_not_completed_leaves_no_write_under_way()
    {
        using var session = shared.Source.BeginSession();
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled)) await InScopes["a command"](shared, "never");
        (await CountAsync("never")).ShouldBe(0);
        session.IsUnknown.ShouldBeFalse();
        await shared.Source.UntilReadOnReplicaAsync(shared.Cluster);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_enlisted_and_closed_connection_is_a_write_until_the_transaction_ends(bool byContext)
    {
        using var session = shared.Source.BeginSession();
        using var transaction = new CommittableTransaction();
        var name = $"enlisted {byContext}";
        if (byContext)
        {
            await using var context = shared.CreateContext();
            await context.Database.OpenConnectionAsync(Stop);
            context.Database.EnlistTransaction(transaction);
            context.Add(new Item { Name = name });
            await context.SaveChangesAsync(Stop);
        }
        else
        {
            await using var connection = await shared.Source.OpenWriteConnectionAsync(Stop);
            connection.EnlistTransaction(transaction);
            await connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
        }

        await PauseAsync();
        (await CountAsync(name)).ShouldBe(0);
        transaction.Commit();
        (await CountAsync(name)).ShouldBe(1);
    }

    [Fact]
    public async Task A_transaction_that_was_begun_and_committed_as_text_is_read_back()
    {
        using var session = shared.Source.BeginSession();
        await using (var connection = await shared.Source.OpenWriteConnectionAsync(Stop))
        {
            await connection.ExecuteAsync("BEGIN TRANSACTION");
            await connection.ExecuteAsync("INSERT INTO items (name) VALUES ('begun by hand')");
            await connection.ExecuteAsync("COMMIT WORK");
            await PauseAsync();
        }

        (await CountAsync("begun by hand")).ShouldBe(1);
    }

    [Fact]
    public async Task A_position_that_was_sampled_in_an_open_transaction_waits_for_its_end()
    {
        using var session = shared.Source.BeginSession();
        await using var open = new NpgsqlConnection(shared.Cluster.Primary.ConnectionString + ";Pooling=false");
        await open.OpenAsync(Stop);
        await open.ExecuteAsync("BEGIN; INSERT INTO items (name) VALUES ('still open')");
        var xid = await open.ExecuteScalarAsync<string>("SELECT pg_current_xact_id()::text");
        var connection = await shared.Source.OpenWriteConnectionAsync(Stop);
        var before = new WalPosition(1, new NpgsqlLogSequenceNumber(1));
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(before, OpenTransaction: xid));
        await connection.CloseAsync();

        await PauseAsync();
        (await CountAsync("still open")).ShouldBe(0);
        session.IsUnknown.ShouldBeTrue();
        await open.ExecuteAsync("COMMIT WORK");
        (await CountAsync("still open")).ShouldBe(1);
        session.IsUnknown.ShouldBeFalse();
    }

    [Theory]
    [MemberData(nameof(Quiet))]
    public async Task A_commit_that_was_made_asynchronous_from_within_is_read_back(string way)
    {
        for (var i = 0; i < 20; i++)
        {
            using var session = shared.Source.BeginSession();
            var name = $"quiet, {way} {i}";
            await Asynchronous[way](shared, name);
            (await CountAsync(name)).ShouldBe(1, name);
        }
    }

    private async Task<long> CountAsync(string name)
    {
        var read = await shared.Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'", Consistency.ReadYourWrites);
        return read.Value;
    }

    private async Task PauseAsync()
    {
        // The test's own query is not part of the transaction under test.
        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);

        // Another commit flushes the WAL written so far, so that replicas can replay past it.
        await shared.Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('another')");
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    private async Task ResumeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }
}

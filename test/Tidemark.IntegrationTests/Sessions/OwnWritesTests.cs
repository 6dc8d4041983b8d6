using System.Data.Common;
using System.Transactions;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Read-your-writes on real servers whose replay is paused, lags, or keeps up.</summary>
public sealed class OwnWritesTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Each way to write a row, synchronous and asynchronous.</summary>
    public static TheoryData<string> Writers => [.. Ways.Keys.Where(k => k.StartsWith("write", StringComparison.Ordinal))];

    private delegate Task<int> Way(StoreCluster store, string name);

    private static readonly Dictionary<string, Way> Ways = new()
    {
        ["write by EF, one statement"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            context.Add(new Item { Name = name });
            return await context.SaveChangesAsync(Stop);
        },
        ["write by EF, one statement, sync"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            context.Add(new Item { Name = name });
            return context.SaveChanges();
        },
        ["write by EF, a transaction of several"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            context.AddRange(new Item { Name = name }, new Item { Name = name + "'" }, new Item { Name = name + "''" });
            return await context.SaveChangesAsync(Stop);
        },
        ["write by EF, an explicit transaction, sync"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            using var transaction = context.Database.BeginTransaction();
            context.Add(new Item { Name = name });
            var rows = context.SaveChanges();
            transaction.Commit();
            return rows;
        },
        ["write by EF, asynchronous commit"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            await using var transaction = await context.Database.BeginTransactionAsync(Stop);
            await context.Database.ExecuteSqlRawAsync("SET LOCAL synchronous_commit = off", Stop);
            context.Add(new Item { Name = name });
            var rows = await context.SaveChangesAsync(Stop);
            await transaction.CommitAsync(Stop);
            return rows;
        },
        ["write by EF, a TransactionScope"] = async (store, name) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            await using var context = store.CreateContext();
            context.Add(new Item { Name = name });
            var rows = await context.SaveChangesAsync(Stop);
            scope.Complete();
            return rows;
        },
        ["write by EF, ExecuteSql"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            return await context.Database.ExecuteSqlAsync($"INSERT INTO items (name) VALUES ({name})", Stop);
        },
        ["write by EF, ExecuteUpdate"] = async (store, name) =>
        {
            await store.Cluster.Primary.RunAsync($"INSERT INTO items (name) VALUES ('old {name}')");
            await using var context = store.CreateContext();
            return await context.Items.Where(i => i.Name == "old " + name).ExecuteUpdateAsync(u => u.SetProperty(i => i.Name, name), Stop);
        },
        ["write by EF, the context's own connection"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            await context.Database.OpenConnectionAsync(Stop);
            var rows = await context.Database.GetDbConnection().ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
            await context.Database.CloseConnectionAsync();
            return rows;
        },
        ["write by Dapper"] = async (store, name) =>
        {
            await using var connection = await store.Source.OpenWriteConnectionAsync(Stop);
            return await connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
        },
        ["write by Dapper, sync, plain connection"] = async (store, name) =>
        {
            await using var connection = store.Source.CreateConnection();
            return connection.Execute("INSERT INTO items (name) VALUES (@name)", new { name });
        },
        ["write by a command"] = async (store, name) =>
        {
            await using var command = Insert(store.Source.CreateCommand(), name);
            return await command.ExecuteNonQueryAsync(Stop);
        },
        ["write by a command, sync"] = async (store, name) =>
        {
            await using var command = Insert(store.Source.CreateCommand(), name);
            return command.ExecuteNonQuery();
        },
        ["write by a read that writes"] = async (store, name) =>
        {
            await using var command = Insert(store.Source.CreateReadCommand(), name);
            return await command.ExecuteNonQueryAsync(Stop);
        },
        ["read by EF"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            return await context.Items.AsNoTracking().CountAsync(i => i.Name == name, Stop);
        },
        ["read by EF, sync"] = async (store, name) =>
        {
            await using var context = store.CreateContext();
            return context.Items.AsNoTracking().Where(i => i.Name == name).ToList().Count;
        },
        ["read by Dapper"] = async (store, name) =>
        {
            await using var connection = await store.Source.OpenReadConnectionAsync(cancellationToken: Stop);
            return await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM items WHERE name = @name", new { name });
        },
        ["read by Dapper, sync"] = async (store, name) =>
        {
            await using var connection = store.Source.OpenReadConnection();
            return connection.ExecuteScalar<int>("SELECT count(*)::int FROM items WHERE name = @name", new { name });
        },
        ["read by a command"] = async (store, name) =>
        {
            await using var command = Count(store.Source.CreateReadCommand(), name);
            return (int)(await command.ExecuteScalarAsync(Stop))!;
        },
        ["read by a command, sync"] = async (store, name) =>
        {
            await using var command = Count(store.Source.CreateReadCommand(), name);
            return (int)command.ExecuteScalar()!;
        },
    };

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task A_write_is_read_back_in_its_session_whether_replay_runs_or_is_paused(string writer)
    {
        var paused = new List<LocalNode>();
        foreach (var node in (LocalNode?[])[null, shared.Cluster["pg-2"], shared.Cluster["pg-3"]])
        {
            if (node is not null)
            {
                await node.PauseReplayAsync(Stop);
                paused.Add(node);
            }

            foreach (var reader in Ways.Keys.Where(k => k.StartsWith("read", StringComparison.Ordinal)))
            {
                using var session = shared.Source.BeginSession();
                var name = $"{writer}, {reader}, {paused.Count} paused";
                (await Ways[writer](shared, name)).ShouldBeGreaterThan(0);
                (await Ways[reader](shared, name)).ShouldBe(1, name);
            }
        }

        foreach (var node in paused) await node.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }

    [Fact]
    public async Task A_context_outside_any_session_reads_its_own_writes()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await using (var context = shared.CreateContext())
        {
            context.Add(new Item { Name = "alone" });
            await context.SaveChangesAsync(Stop);
            (await context.Items.AsNoTracking().CountAsync(i => i.Name == "alone", Stop)).ShouldBe(1);
        }

        // Another context has written nothing, so any replica may serve it. This proves that the pause is in effect.
        await using (var other = shared.CreateContext())
            (await other.Items.AsNoTracking().CountAsync(i => i.Name == "alone", Stop)).ShouldBe(0);
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
    }

    [Fact]
    public async Task A_replica_that_has_the_write_serves_the_read_after_it()
    {
        using var session = shared.Source.BeginSession();
        await using var context = shared.CreateContext();
        context.Add(new Item { Name = "soon" });
        await context.SaveChangesAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);

        // A busy machine may probe late. Each answer is right, and soon one comes from a replica.
        var port = 0;
        while (port == 0 || port == shared.Cluster.Primary.Port)
            port = await context.Items.Where(i => i.Name == "soon").Select(i => StoreContext.ServerPort()).SingleAsync(Stop);
    }

    [Fact]
    public async Task A_transaction_that_was_rolled_back_does_not_change_the_session()
    {
        using var session = shared.Source.BeginSession();
        await using var context = shared.CreateContext();
        await using (var transaction = await context.Database.BeginTransactionAsync(Stop))
        {
            context.Add(new Item { Name = "never" });
            await context.SaveChangesAsync(Stop);
            await transaction.RollbackAsync(Stop);
        }

        session.Written.ShouldBeNull();
        session.IsUnknown.ShouldBeFalse();
    }

    [Fact]
    public async Task The_commit_of_a_transaction_that_failed_writes_nothing_as_without_Tidemark()
    {
        using var session = shared.Source.BeginSession();
        await using var context = shared.CreateContext();
        await using var transaction = await context.Database.BeginTransactionAsync(Stop);
        context.Add(new Item { Name = "never" });
        await context.SaveChangesAsync(Stop);
        await Should.ThrowAsync<DbException>(() => context.Database.ExecuteSqlRawAsync("SELECT 1/0", Stop));
        await transaction.CommitAsync(Stop);

        (await shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'never'")).ShouldBe(0);
        session.IsUnknown.ShouldBeFalse();
        await context.Items.AsNoTracking().CountAsync(Stop);
    }

    [Fact]
    public async Task A_thousand_writes_are_each_read_back_with_replay_delayed_by_50_ms()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(50), Stop);
        try
        {
            var stale = 0;
            await Parallel.ForAsync(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Stop },
                async (i, stop) =>
            {
                using var session = shared.Source.BeginSession();
                await using (var write = shared.CreateContext())
                {
                    write.Add(new Item { Name = $"delayed {i}" });
                    await write.SaveChangesAsync(stop);
                }

                await using var read = shared.CreateContext();
                if (await read.Items.AsNoTracking().CountAsync(item => item.Name == $"delayed {i}", stop) != 1)
                    Interlocked.Increment(ref stale);
            });
            stale.ShouldBe(0);
        }
        finally
        {
            foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        }
    }

    private static DbCommand Insert(DbCommand command, string name) => With(command, "INSERT INTO items (name) VALUES (@name)", name);

    private static DbCommand Count(DbCommand command, string name) =>
        With(command, "SELECT count(*)::int FROM items WHERE name = @name", name);

    private static DbCommand With(DbCommand command, string sql, string name)
    {
        command.CommandText = sql;
        var parameter = command.CreateParameter();
        parameter.ParameterName = "name";
        parameter.Value = name;
        command.Parameters.Add(parameter);
        return command;
    }
}

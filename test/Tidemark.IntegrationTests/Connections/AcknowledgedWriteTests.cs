using System.Collections.Concurrent;
using System.Data.Common;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A write that the server has acknowledged succeeds, whatever happens to the position query after it.</summary>
public sealed class AcknowledgedWriteTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();
    private CuttingRelay _relay = null!;
    private TidemarkDataSource _source = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private delegate Task Way(AcknowledgedWriteTests test, string name);

    /// <summary>Ways of writing a row after which a connection cut after the acknowledgement does not put the write in doubt.</summary>
    private static readonly Dictionary<string, Way> CertainWays = new()
    {
        ["a value"] = async (test, name) =>
        {
            await using var command = test._source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}') RETURNING name");
            (await command.ExecuteScalarAsync(Stop)).ShouldBe(name);
        },
        ["a value, sync"] = async (test, name) =>
        {
            await using var command = test._source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}') RETURNING name");
            command.ExecuteScalar().ShouldBe(name);
        },
        ["a transaction"] = async (test, name) =>
        {
            await using var transaction = await test._source.BeginTransactionAsync(SynchronousCommit.Local, cancellationToken: Stop);
            await transaction.Connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
            await transaction.CommitAsync(Stop);
        },
        ["a transaction, sync"] = async (test, name) =>
        {
            await using var transaction = await test._source.BeginTransactionAsync(SynchronousCommit.Local, cancellationToken: Stop);
            await transaction.Connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
            transaction.Commit();
        },
        ["EF, a save of several"] = async (test, name) =>
        {
            await using var context = test.CreateContext();
            context.AddRange(new Item { Name = name }, new Item { Name = name + "'" });
            (await context.SaveChangesAsync(Stop)).ShouldBe(2);
        },
        ["EF, a transaction"] = async (test, name) =>
        {
            await using var context = test.CreateContext(retries: false);
            await using var transaction = await context.Database.BeginTransactionAsync(Stop);
            context.Add(new Item { Name = name });
            await context.SaveChangesAsync(Stop);
            await transaction.CommitAsync(Stop);
        },
        ["EF, a transaction, sync"] = async (test, name) =>
        {
            await using var context = test.CreateContext(retries: false);
            using var transaction = context.Database.BeginTransaction();
            context.Add(new Item { Name = name });
            context.SaveChanges();
            transaction.Commit();
        },
    };

    /// <summary>Ways in which only the server's error proves that the write was acknowledged.</summary>
    private static readonly Dictionary<string, Way> OtherWays = new()
    {
        ["a count"] = async (test, name) =>
        {
            await using var command = test._source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}')");
            (await command.ExecuteNonQueryAsync(Stop)).ShouldBe(1);
        },
        ["a count, sync"] = async (test, name) =>
        {
            await using var command = test._source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}')");
            command.ExecuteNonQuery().ShouldBe(1);
        },
        ["EF, a save"] = async (test, name) =>
        {
            await using var context = test.CreateContext();
            var item = new Item { Name = name };
            context.Add(item);
            (await context.SaveChangesAsync(Stop)).ShouldBe(1);
            item.Id.ShouldBe(await test._store.Cluster.Primary.QueryAsync<int>($"SELECT id FROM items WHERE name = '{name}'"));
            context.Entry(item).State.ShouldBe(EntityState.Unchanged);
        },
        ["EF, a save, sync"] = async (test, name) =>
        {
            await using var context = test.CreateContext();
            var item = new Item { Name = name };
            context.Add(item);
            context.SaveChanges().ShouldBe(1);
            item.Id.ShouldBe(await test._store.Cluster.Primary.QueryAsync<int>($"SELECT id FROM items WHERE name = '{name}'"));
        },
        ["EF, a changed entity"] = async (test, name) =>
        {
            var id = await test._store.Cluster.MakeItemAsync("old");
            await using var context = test.CreateContext();
            var item = new Item { Id = id, Name = "old" };
            context.Attach(item);
            item.Name = name;
            (await context.SaveChangesAsync(Stop)).ShouldBe(1);
            context.Entry(item).State.ShouldBe(EntityState.Unchanged);
        },
        ["EF, ExecuteUpdate"] = async (test, name) =>
        {
            var id = await test._store.Cluster.MakeItemAsync("old");
            await using var context = test.CreateContext();
            (await context.Items.Where(i => i.Id == id).ExecuteUpdateAsync(set => set.SetProperty(i => i.Name, name), Stop)).ShouldBe(1);
        },
    };

    public static TheoryData<string, bool> Cuts =>
    [
        .. CertainWays.Keys.Concat(OtherWays.Keys).Select(way => new TheoryDataRow<string, bool>(way, true)),
        .. CertainWays.Keys.Select(way => new TheoryDataRow<string, bool>(way, false)),
    ];

    public static TheoryData<string> All => [.. CertainWays.Keys, .. OtherWays.Keys];

    public async ValueTask InitializeAsync()
    {
        await _store.InitializeAsync();
        _relay = new CuttingRelay(_store.Cluster.Primary.Port);
        _source = await _store.ConnectAsync(b =>
        {
            var primary = b.Options.Nodes["pg-1"];
            primary.ConnectionString = new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Port = _relay.Port }.ConnectionString;
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _relay.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task A_connection_that_ends_after_the_acknowledgement_fails_no_write(string way, bool withError)
    {
        using var session = _source.BeginSession();
        var name = $"{way} {withError}";
        _relay.Arm(withError);
        await (CertainWays.GetValueOrDefault(way) ?? OtherWays[way])(this, name);
        _relay.IsArmed.ShouldBeFalse("no position query was sent");

        (session.IsUnknown, session.IsInDoubt).ShouldBe((true, false));
        (await _store.Cluster.Primary.QueryAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).ShouldBe(1);
        await StoreCluster.UntilAsync(_source, nodes => nodes.Primary == "pg-1");
        (await _source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value.ShouldBe(1);
        session.IsUnknown.ShouldBeFalse();
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_role_that_may_not_query_positions_writes_as_without_Tidemark(string way)
    {
        await _store.Cluster.Primary.RunAsync("""
            CREATE ROLE clerk; GRANT ALL ON items TO clerk;
            REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC
            """);
        await _source.DisposeAsync();
        _source = await _store.ConnectAsync(b => b.ConfigureNodes(node =>
        {
            if (node.Name!.EndsWith("/writes", StringComparison.Ordinal)) node.ConnectionStringBuilder.Options = "-c role=clerk";
        }));
        using var session = _source.BeginSession();
        await (CertainWays.GetValueOrDefault(way) ?? OtherWays[way])(this, way);

        (session.IsUnknown, session.IsInDoubt).ShouldBe((true, false));
        (await _source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{way}'")).Value.ShouldBe(1);
    }

    [Fact]
    public async Task A_statement_that_fails_under_such_a_role_fails_with_its_own_error()
    {
        await _store.Cluster.Primary.RunAsync("""
            CREATE ROLE clerk; GRANT ALL ON items TO clerk;
            REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC
            """);
        await using var source = await _store.ConnectAsync(b => b.ConfigureNodes(node =>
        {
            if (node.Name!.EndsWith("/writes", StringComparison.Ordinal)) node.ConnectionStringBuilder.Options = "-c role=clerk";
        }));
        await using var command = source.CreateCommand("INSERT INTO items (name) VALUES (NULL)");
        var failure = await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Stop));
        failure.SqlState.ShouldBe(PostgresErrorCodes.NotNullViolation);
        await using var context = _store.CreateContext(source);
        context.Add(new Item { Id = 1, Name = null! });
        var unsaved = await Should.ThrowAsync<DbUpdateException>(() => context.SaveChangesAsync(Stop));
        unsaved.InnerException.ShouldBeOfType<PostgresException>();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_batch_that_is_not_sent_is_not_saved_because_the_one_before_it_was(bool isAsync)
    {
        var options = new DbContextOptionsBuilder<StoreContext>()
            .UseTidemark(_source, npgsql => npgsql.MaxBatchSize(1)).AddInterceptors(new SecondCommandFails()).Options;
        await using var context = new StoreContext(options);
        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
        context.AddRange(new Item { Name = "first" }, new Item { Name = "second" });
        await Should.ThrowAsync<DbUpdateException>(async () => _ = isAsync ? await context.SaveChangesAsync(Stop) : context.SaveChanges());

        (await _store.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name IN ('first', 'second')")).ShouldBe(1);
    }

    [Fact]
    public async Task Fast_restarts_under_retrying_saves_store_nothing_twice_and_fail_no_commit()
    {
        const int Writers = 12;
        const int Restarts = 5;
        await using var source = await _store.ConnectAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var (saved, failed) = (new ConcurrentBag<string>(), new ConcurrentBag<(string Name, Exception Failure)>());
        var writers = Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; !over.IsCancellationRequested; i++)
            {
                var name = $"drill {writer} {i}";
                await using var context = Retrying(source);
                context.Add(new Item { Name = name });
                if (writer % 3 == 0) context.Add(new Item { Name = name + "'" });
                try
                {
                    await context.SaveChangesAsync(Stop);
                    saved.Add(name);
                }
                catch (Exception e) when (e is DbException or DbUpdateException or RoutingException or RetryLimitExceededException)
                {
                    failed.Add((name, e));
                    await Task.Delay(20, Stop);
                }
            }
        }, Stop)).ToArray();

        for (var i = 0; i < Restarts; i++)
        {
            var before = saved.Count;
            while (saved.Count < before + Writers) await Task.Delay(10, Stop);
            await _store.Cluster.Primary.StopAsync(StopMode.Fast, Stop);
            await _store.Cluster.Primary.StartAsync(Stop);
        }

        await over.CancelAsync();
        await Task.WhenAll(writers);
        var stored = await _store.Cluster.Primary.QueryAsync<string[]>("SELECT array_agg(name) FROM items WHERE name LIKE 'drill%'");
        stored.ShouldBeUnique();
        saved.Except(stored).ShouldBeEmpty();

        // If the connection simply ends within the commit, the outcome is in doubt, as without Tidemark. The server's own error settles it.
        failed.Where(f => stored.Contains(f.Name) && Causes(f.Failure).OfType<PostgresException>().Any()).ShouldBeEmpty();
    }

    private static IEnumerable<Exception> Causes(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException) yield return failure;
    }

    private static StoreContext Retrying(TidemarkDataSource source) => new(
        new DbContextOptionsBuilder<StoreContext>()
            .UseTidemark(source, npgsql => npgsql.EnableRetryOnFailure(20, TimeSpan.FromMilliseconds(200), null))
            .ConfigureWarnings(w => w.Ignore(CoreEventId.ExecutionStrategyRetrying))
            .Options);

    private StoreContext CreateContext(bool retries = true) => retries ? Retrying(_source) : _store.CreateContext(_source);

    private sealed class SecondCommandFails : DbCommandInterceptor
    {
        private int _commands;

        public override InterceptionResult<DbCommand> CommandCreating(CommandCorrelatedEventData eventData,
            InterceptionResult<DbCommand> result) =>
            ++_commands == 2 ? throw new TimeoutException("Not sent.") : result;
    }
}

using System.Data.Common;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>
/// The application writes with its own code on EF Core's connection, after a save has already returned a position. A later read includes
/// that write.
/// </summary>
public sealed class SharedConnectionTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private delegate Task Way(SharedConnectionTests test, string name);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static readonly Dictionary<string, Way> All = new()
    {
        ["an interceptor of commands"] = async (test, name) =>
        {
            await using var db = test.With(new AfterCommand(connection => test.WriteAsync(connection, name)));
            await db.Items.Where(i => i.Id == 1).ExecuteUpdateAsync(set => set.SetProperty(i => i.Name, "changed"), Stop);
        },
        ["an interceptor of commits"] = async (test, name) =>
        {
            await using var db = test.With(new AfterTransaction(connection => test.WriteAsync(connection, name)));
            db.AddRange(new Item { Name = "one" }, new Item { Name = "another" });
            await db.SaveChangesAsync(Stop);
        },
        ["an interceptor of rollbacks"] = async (test, name) =>
        {
            await using var db = test.With(new AfterTransaction(connection => test.WriteAsync(connection, name)));
            await using var transaction = await db.Database.BeginTransactionAsync(Stop);
            db.Add(new Item { Name = "not kept" });
            await db.SaveChangesAsync(Stop);
            await transaction.RollbackAsync(Stop);
        },
        ["on a connection that a saving interceptor opened"] = async (test, name) =>
        {
            await using var db = test.With(new BeforeSave(context => context.Database.OpenConnectionAsync(Stop)));
            db.Add(new Item { Name = "saved" });
            await db.SaveChangesAsync(Stop);
            await test.WriteAsync(db.Database.GetDbConnection(), name);
        },
        ["after a save that an interceptor refused"] = async (test, name) =>
        {
            var refuses = true;
            await using var db = test.With(new BeforeSave(
                _ => refuses ? throw new InvalidOperationException("Not valid.") : Task.CompletedTask));
            db.Add(new Item { Name = "saved" });
            await Should.ThrowAsync<InvalidOperationException>(() => db.SaveChangesAsync(Stop));
            refuses = false;
            await db.Database.OpenConnectionAsync(Stop);
            await db.SaveChangesAsync(Stop);
            await test.WriteAsync(db.Database.GetDbConnection(), name);
        },
    };

    public static TheoryData<string> Ways => [.. All.Keys];

    public async ValueTask InitializeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Statements_after_a_save_on_its_connection_are_read_back(string way)
    {
        using var session = shared.Source.BeginSession();
        await All[way](this, way);
        (await shared.Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{way}'")).Value.ShouldBe(1);
    }

    [Fact]
    public async Task A_connection_without_further_statements_costs_no_position()
    {
        using var session = shared.Source.BeginSession();
        await using var db = shared.CreateContext();
        for (var i = 0; i < 3; i++)
        {
            db.Add(new Item { Name = "one" });
            await db.SaveChangesAsync(Stop);
            session.Written.ShouldNotBeNull();
            db.AddRange(new Item { Name = "one" }, new Item { Name = "another" });
            await db.SaveChangesAsync(Stop);
            session.Written.ShouldNotBeNull();
            await db.Items.Where(item => item.Id == 1).ExecuteUpdateAsync(set => set.SetProperty(item => item.Name, "changed"), Stop);
            session.Written.ShouldNotBeNull();
        }
    }

    /// <summary>Writes after the replicas have the save and nothing that follows it.</summary>
    private async Task WriteAsync(DbConnection connection, string name)
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
    }

    private StoreContext With(IInterceptor interceptor) =>
        new(new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source).AddInterceptors(interceptor).Options);

    private sealed class AfterCommand(Func<DbConnection, Task> act) : DbCommandInterceptor
    {
        public override async ValueTask<int> NonQueryExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            await act(command.Connection!);
            return result;
        }
    }

    private sealed class AfterTransaction(Func<DbConnection, Task> act) : DbTransactionInterceptor
    {
        public override Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) =>
            act(eventData.Context!.Database.GetDbConnection());

        public override Task TransactionRolledBackAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) =>
            act(eventData.Context!.Database.GetDbConnection());
    }

    private sealed class BeforeSave(Func<DbContext, Task> act) : SaveChangesInterceptor
    {
        public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            await act(eventData.Context!);
            return result;
        }
    }
}

using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// What code under test does with its own transactions in a mirror whose test holds a transaction, compared with the same code on a
/// cluster.
/// </summary>
public sealed class MirrorTransactionTests(OneServerAndReplica shared) : MirrorTestBase(shared), IClassFixture<OneServerAndReplica>
{
    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        (await Shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items"))
            .ShouldBe(10, "a mirror leaves nothing in the database");
    }

    [Theory]
    [InlineData("commit", true, 1)]
    [InlineData("commit", false, 1)]
    [InlineData("rollback", true, 0)]
    [InlineData("rollback", false, 0)]
    [InlineData("dispose", true, 0)]
    [InlineData("dispose", false, 0)]
    public async Task A_transaction_of_the_code_ends_and_the_tests_transaction_continues(string end, bool isAsync, int kept)
    {
        await using var context = Mirror();
        context.Add(new Item { Name = "before" });
        await context.SaveChangesAsync(Stop);
        context.Database.CurrentTransaction.ShouldBeNull("the test's transaction is hidden from the code under test");

        var begun = isAsync ? await context.Database.BeginTransactionAsync(Stop) : context.Database.BeginTransaction();
        context.Add(new Item { Name = "within" });
        await context.SaveChangesAsync(Stop);
        (await context.Items.CountAsync(i => i.Name == "within", Stop)).ShouldBe(1);
        Routes.Reads[^1].Reason.ShouldBe(RouteReason.Transaction);
        await EndAsync(begun, end, isAsync);

        context.Database.CurrentTransaction.ShouldBeNull();
        (await context.Items.CountAsync(i => i.Name == "within", Stop)).ShouldBe(kept);
        (await context.Items.CountAsync(i => i.Name == "before", Stop)).ShouldBe(1);
        Routes.Reads[^1].Role.ShouldBe(NodeRole.Replica);
    }

    [Fact]
    public async Task Savepoints_and_consecutive_transactions_work_as_on_a_cluster()
    {
        await using var context = Mirror();
        await using (var begun = await context.Database.BeginTransactionAsync(SynchronousCommit.RemoteApply, cancellationToken: Stop))
        {
            await context.Items.Where(i => i.Id == 1).ExecuteDeleteAsync(Stop);
            await begun.CreateSavepointAsync("here", Stop);
            await context.Items.ExecuteDeleteAsync(Stop);
            await begun.RollbackToSavepointAsync("here", Stop);
            await begun.CommitAsync(Stop);
        }

        await using (await context.Database.BeginTransactionAsync(IsolationLevel.Serializable,
            Stop)) await context.Items.ExecuteDeleteAsync(Stop);
        (await context.Items.CountAsync(Stop)).ShouldBe(9);
    }

    [Fact]
    public async Task A_failed_write_or_transaction_leaves_the_tests_transaction_intact()
    {
        await using (var context = Mirror())
        {
            context.Add(new Item { Name = null! });
            (await Should.ThrowAsync<DbUpdateException>(context.SaveChangesAsync(Stop))).InnerException.ShouldBeOfType<PostgresException>();
        }

        await using (var context = Mirror())
        {
            await Should.ThrowAsync<PostgresException>(
                context.Items.ExecuteUpdateAsync(set => set.SetProperty(i => i.Name, (string)null!), Stop));
            Should.Throw<PostgresException>(() => context.Database.ExecuteSqlRaw("UPDATE items SET name = NULL"));
            (await context.Items.CountAsync(Stop)).ShouldBe(10);

            // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and raises no error.
            await using var begun = await context.Database.BeginTransactionAsync(Stop);
            await context.Items.ExecuteDeleteAsync(Stop);
            await Should.ThrowAsync<PostgresException>(context.Database.ExecuteSqlRawAsync("UPDATE nothing SET name = NULL", Stop));
            await begun.CommitAsync(Stop);
            (await context.Items.CountAsync(Stop)).ShouldBe(10);
        }
    }

    [Theory]
    [InlineData("commit", true)]
    [InlineData("rollback", false)]
    [InlineData("dispose", true)]
    public async Task A_report_runs_on_a_replica_and_refuses_to_write(string end, bool isAsync)
    {
        await using var context = Mirror();
        var report = isAsync
            ? await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop) : context.Database.BeginReadOnlyTransaction();
        (await context.Items.Select(i => MirrorContext.Mode()).FirstAsync(Stop)).ShouldBe("on");
        await context.Ruled.ToListAsync(Stop);
        await context.Items.AsTracking().ToListAsync(Stop);
        Routes.Reads.ShouldAllBe(r => r.Role == NodeRole.Replica && r.Reason == RouteReason.Transaction);
        await EndAsync(report, end, isAsync);

        context.Database.CurrentTransaction.ShouldBeNull();
        (await context.Items.ExecuteDeleteAsync(Stop)).ShouldBe(10);
        Routes.Writes[^1].Role.ShouldBe(NodeRole.Primary);
        (await context.Items.CountAsync(Stop)).ShouldBe(0);
    }

    [Fact]
    public async Task A_report_includes_its_sessions_writes_from_the_primary_if_replicas_are_behind()
    {
        await using var behind = new RouteRecorder { ReplicasAreBehind = true };
        await using var context = Mirror(behind);
        await using (await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop)) await context.Items.CountAsync(Stop);
        await context.Items.Where(i => i.Id == 1).ExecuteDeleteAsync(Stop);
        await using (await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop)) (await context.Items.CountAsync(Stop))
            .ShouldBe(9);
        behind.Reads.Select(r => r.Role).ShouldBe([NodeRole.Replica, NodeRole.Primary]);
    }

    [Fact]
    public async Task A_mirror_refuses_with_the_same_text_as_a_cluster()
    {
        var refusals = new List<string[]>();
        foreach (var options in (DbContextOptionsBuilder[])[new DbContextOptionsBuilder().UseTidemark(Shared.Source),
            new DbContextOptionsBuilder().UseTidemarkMirror(Transaction, Routes)])
        {
            refusals.Add([.. await RefusalsAsync(() => new MirrorContext(options.Options))]);
            await using var context = new MirrorContext(options.Options);
            (await context.Items.CountAsync(Stop)).ShouldBe(10);
        }

        refusals[1].ShouldBe(refusals[0]);
        refusals[0].Distinct().Count().ShouldBe(8);
        refusals[0].ShouldAllBe(refusal => refusal.Length > 0, "every call is rejected");
    }

    [Fact]
    public async Task A_transaction_that_is_left_open_does_not_hide_the_tests_result()
    {
        await using var context = Mirror();
        await using var begun = await context.Database.BeginTransactionAsync(Stop);
        await Transaction.RollbackAsync(Stop);
    }

    [Fact]
    public async Task A_query_is_explained_on_its_mirrored_node_and_cannot_write()
    {
        await using var context = Mirror();
        var plan = await context.Items.Where(i => i.Id <= 3).Select(i => i.Name).ExplainAnalyzeAsync(Stop);
        plan.Decision.Role.ShouldBe(NodeRole.Replica);
        plan.Text.ShouldContain("rows=3");
        (await context.Items.ExplainAnalyzeAsync(Stop)).Decision.Reason.ShouldBe(RouteReason.TrackingQuery);

        await using (await context.Database.BeginTransactionAsync(Stop))
        {
            await context.Items.Where(i => i.Id > 1).ExecuteDeleteAsync(Stop);
            plan = await context.Items.Select(i => i.Name).ExplainAnalyzeAsync(Stop);
            (plan.Decision.Role, plan.Decision.Reason).ShouldBe((NodeRole.Primary, RouteReason.Transaction));
            plan.Text.ShouldContain("rows=1 ");
        }

        (await context.Items.ExecuteDeleteAsync(Stop)).ShouldBe(10);
    }

    /// <summary>Returns the message of each rejected call, and an empty string for each accepted one.</summary>
    private static async Task<List<string>> RefusalsAsync(Func<MirrorContext> create)
    {
        var messages = new List<string>();
        await using var context = create();
        var draws = context.Items.Select(i => MirrorContext.Draw(i.Id));
        await ReportAsync(() => draws.ExplainAnalyzeAsync(Stop));
        await ReportAsync(() => Task.FromResult(context.Database.BeginReadOnlyTransaction(isolation: IsolationLevel.Serializable)));
        await using (var other = create())
        await using (await other.Database.BeginTransactionAsync(Stop))
        {
            await ReportAsync(() => other.Database.BeginTransactionAsync(Stop));
            await ReportAsync(() => other.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop));
        }

        await using (await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop))
        {
            await ReportAsync(() => context.Database.BeginTransactionAsync(Stop));
            context.Add(new Item { Name = "no" });
            await ReportAsync(() => context.SaveChangesAsync(Stop));
            await ReportAsync(() => context.Items.ExecuteDeleteAsync(Stop));
            await ReportAsync(() => context.Database.ExecuteSqlRawAsync("DELETE FROM items", Stop));
            await ReportAsync(() => context.Items.FromSqlRaw("DELETE FROM items RETURNING *").ToListAsync(Stop));
        }

        return messages;

        async Task ReportAsync(Func<Task> refused)
        {
            try
            {
                await refused();
                messages.Add("");
            }
            catch (Exception e)
            {
                messages.Add($"{e.GetType().Name}: {e.Message}");
            }
        }
    }

    private static async Task EndAsync(IDbContextTransaction transaction, string end, bool isAsync)
    {
        switch (end, isAsync)
        {
            case ("commit", true): await transaction.CommitAsync(Stop); break;
            case ("commit", false): transaction.Commit(); break;
            case ("rollback", true): await transaction.RollbackAsync(Stop); break;
            case ("rollback", false): transaction.Rollback(); break;
            default: break;
        }

        if (isAsync) await transaction.DisposeAsync();
        else transaction.Dispose();
    }

    private MirrorContext Mirror(RouteRecorder? routes = null) =>
        new(new DbContextOptionsBuilder().UseTidemarkMirror(Transaction, routes ?? Routes).Options);
}

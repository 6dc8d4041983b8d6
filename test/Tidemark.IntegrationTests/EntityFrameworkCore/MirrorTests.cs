using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>One database that simulates a cluster over one connection and one transaction, for tests that roll back.</summary>
public sealed class MirrorTests(OneServer shared) : MirrorTestBase(shared, "reports", "pages"), IClassFixture<OneServer>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reads_routed_to_replicas_include_the_tests_writes_and_nothing_remains(bool isAsync)
    {
        await using (var context = Create())
        {
            context.Items.AddRange(new Item { Name = "rolled back" }, new Item { Name = "rolled back" });
            _ = isAsync ? await context.SaveChangesAsync(Stop) : context.SaveChanges();
        }

        await using (var context = Create())
        {
            var names = context.Items.Where(i => i.Name == "rolled back").Select(i => i.Name);
            (isAsync ? await names.ToListAsync(Stop) : names.ToList()).Count.ShouldBe(2);
            (isAsync ? await names.CountAsync(Stop) : names.Count()).ShouldBe(2);
        }

        Routes.Reads.Count.ShouldBe(2);
        Routes.Reads.ShouldAllBe(r => r.Role == NodeRole.Replica);
        Routes.Writes.ShouldNotBeEmpty();
        Routes.Writes.ShouldAllBe(r => r.Role == NodeRole.Primary && r.Reason == RouteReason.Write);
        Routes.Reads[0].CommandText.ShouldContain("SELECT");
        await Transaction.RollbackAsync(Stop);
        (await Shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'rolled back'")).ShouldBe(0);
    }

    [Fact]
    public async Task Routes_are_decided_as_in_production_and_recorded_in_order()
    {
        await using var context = Create();
        await context.Items.FirstAsync(Stop);
        await context.Items.Select(i => i.Name).FirstAsync(Stop);
        await context.Items.AsNoTracking().WithConsistency(Consistency.Strong).ToListAsync(Stop);
        await context.Items.AsNoTracking().OnNode("pages").ToListAsync(Stop);
        await context.Items.AsNoTracking().OnNode("reports").ToListAsync(Stop);
        await context.Ruled.ToListAsync(Stop);
        await context.Items.FromSql($"SELECT id, name FROM items").AsNoTracking().ToListAsync(Stop);
        await context.Items.AsNoTracking().WithConsistency(Consistency.BoundedStaleness(TimeSpan.FromSeconds(1))).ToListAsync(Stop);

        Routes.Reads.Select(r => r.Reason).Take(7).ShouldBe(
        [
            RouteReason.TrackingQuery, Routes.Reads[1].Reason, RouteReason.StrongConsistency, RouteReason.NamedNode, RouteReason.NamedNode,
            RouteReason.EntityRule, RouteReason.RawSql,
        ]);
        Routes.Reads.Select(r => r.Role == NodeRole.Replica).ShouldBe([false, true, false, true, true, false, false, true]);
        (Routes.Reads[0].Node, Routes.Reads[3].Node, Routes.Reads[4].Node).ShouldBe(("primary", "pages", "reports"));
        Routes.Clear();
        Routes.All.ShouldBeEmpty();
        context.Items.Select(i => i.Name).ExplainRoute().Role.ShouldBe(NodeRole.Replica);
        Routes.All.ShouldBeEmpty("explaining a route runs no command");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_that_writes_is_refused_by_the_server_and_retried_on_the_primary(bool isAsync)
    {
        await using var context = Create();
        var drawn = context.Items.Where(i => i.Id <= 3).Select(i => MirrorContext.Draw(i.Id));
        (isAsync ? await drawn.ToListAsync(Stop) : drawn.ToList()).Count.ShouldBe(3);
        Routes.Reads.Select(r => r.Role).ShouldBe([NodeRole.Replica, NodeRole.Primary]);
        Routes.Reads[1].Reason.ShouldBe(RouteReason.RetriedOnPrimary);

        // Treated as a write from now on, as in production.
        (isAsync ? await drawn.ToListAsync(Stop) : drawn.ToList()).Count.ShouldBe(3);
        Routes.Reads[2].Reason.ShouldBe(RouteReason.KnownToWrite);

        // The server's rejection left the test's transaction usable and able to write.
        context.Items.Add(new Item { Name = "written after a refusal" });
        await context.SaveChangesAsync(Stop);
        (await context.Items.CountAsync(i => i.Name == "written after a refusal", Stop)).ShouldBe(1);
    }

    [Fact]
    public async Task A_write_that_names_a_replica_is_refused_even_if_sent_as_a_read()
    {
        await using var context = Create();
        var error =
            await Should.ThrowAsync<RoutingException>(context.Items.Select(i => MirrorContext.Draw(i.Id)).OnNode("pages")
            .ToListAsync(Stop));
        (error.InnerException as PostgresException)?.SqlState.ShouldBe("25006");
        await Should.ThrowAsync<RoutingException>(context.Items.OnNode("pages").ExecuteDeleteAsync(Stop));
        (await context.Items.CountAsync(Stop)).ShouldBe(10);
    }

    [Fact]
    public async Task Nothing_can_write_until_the_rows_of_a_replica_have_been_read()
    {
        await using var context = Create();
        await foreach (var name in context.Items.Select(i => i.Name).AsAsyncEnumerable().WithCancellation(Stop))
        {
            name.ShouldNotBeNull();
            break;
        }

        (await ModeAsync()).ShouldBe("off");
        await Should.ThrowAsync<PostgresException>(context.Items.Select(i => 1 / (i.Id - 1)).ToListAsync(Stop));
        (await ModeAsync()).ShouldBe("off");
        (await context.Items.Select(i => MirrorContext.Mode()).FirstAsync(Stop)).ShouldBe("on");
        (await ModeAsync()).ShouldBe("off");
        (await context.Items.ExecuteDeleteAsync(Stop)).ShouldBe(10);
    }

    [Fact]
    public async Task Without_a_transaction_a_replica_still_refuses_to_write()
    {
        await Transaction.RollbackAsync(Stop);
        await using var context = new MirrorContext(new DbContextOptionsBuilder().UseTidemarkMirror(Connection, Routes).Options);
        (await context.Items.Select(i => MirrorContext.Draw(i.Id)).ToListAsync(Stop)).Count.ShouldBe(10);
        Routes.Reads.Select(r => r.Role).ShouldBe([NodeRole.Replica, NodeRole.Primary]);
        (await context.Items.Select(i => MirrorContext.Mode()).FirstAsync(Stop)).ShouldBe("on");
        await using var begun = await context.Database.BeginTransactionAsync(Stop);
        await context.Items.CountAsync(Stop);
        Routes.Reads[^1].Reason.ShouldBe(RouteReason.Transaction, "the code under test began this one");
    }

    [Fact]
    public async Task A_session_that_wrote_reads_from_the_primary_only_if_replicas_are_behind()
    {
        await using var behind = new RouteRecorder { ReplicasAreBehind = true };
        foreach (var routes in (RouteRecorder[])[behind, Routes])
        {
            using var session = routes.Source.BeginSession();
            await using (var context = Create(routes))
            {
                await context.Items.CountAsync(Stop);
                context.Items.Add(new Item { Name = "mine" });
                await context.SaveChangesAsync(Stop);
            }

            session.HasMoved.ShouldBeTrue();
            await using var other = Create(routes);
            (await other.Items.CountAsync(i => i.Name == "mine", Stop)).ShouldBeGreaterThan(0);
            routes.Reads.Select(r => r.Role).ShouldBe([NodeRole.Replica, routes == behind ? NodeRole.Primary : NodeRole.Replica]);
        }

        // Without a surrounding session, a context is a session of its own.
        await using var stranger = Create(behind);
        await stranger.Items.CountAsync(Stop);
        behind.Reads[^1].Role.ShouldBe(NodeRole.Replica);
    }

    [Fact]
    public async Task Anything_a_mirror_cannot_do_is_refused_with_the_reason()
    {
        using var closed = new NpgsqlConnection(Shared.Cluster.Primary.ConnectionString);
        Should.Throw<ArgumentException>(() => new DbContextOptionsBuilder().UseTidemarkMirror(closed, Routes))
            .Message.ShouldContain("requires an open connection");
        Should.Throw<InvalidOperationException>(() => new DbContextOptionsBuilder().UseTidemark(Shared.Source)
            .UseTidemarkMirror(Connection, Routes))
            .Message.ShouldContain("is already configured for a cluster");

        await Transaction.DisposeAsync();
        Should.Throw<ArgumentException>(() => new DbContextOptionsBuilder().UseTidemarkMirror(Transaction, Routes))
            .Message.ShouldContain("This transaction has ended");
    }

    [Fact]
    public async Task The_code_in_the_documentation_matches_this_code_and_runs()
    {
        var shown = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "testing.md"), Stop);
        var compiled =
            await File.ReadAllTextAsync(
            Path.Combine(Root(), "test", "Tidemark.IntegrationTests", "EntityFrameworkCore", "MirrorExample.cs"), Stop);
        var lines = Between(compiled, "// docs\n", "        // end").Split('\n')
            .Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line);
        Between(shown, "```csharp\n", "```").ShouldBe(string.Join('\n', lines));
        await MirrorExample.RunAsync(Shared.Cluster.Primary.ConnectionString);
    }

    private static string Between(string text, string start, string end)
    {
        var from = text.IndexOf(start, StringComparison.Ordinal) + start.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    private static string Root([CallerFilePath] string path = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));

    private async Task<string> ModeAsync()
    {
        await using var command = new NpgsqlCommand("SHOW transaction_read_only", Connection);
        return (string)(await command.ExecuteScalarAsync(Stop))!;
    }

    private MirrorContext Create(RouteRecorder? routes = null) =>
        new(new DbContextOptionsBuilder().UseTidemarkMirror(Transaction, routes ?? Routes).Options);
}

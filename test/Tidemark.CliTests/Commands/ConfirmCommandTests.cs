using Npgsql;
using Tidemark.Cli;

namespace Tidemark;

public sealed class ConfirmCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_row_comes_back_from_each_replica_and_nothing_is_left()
    {
        var ran = await ConfirmAsync("--json");

        (ran.ExitCode, ran.Json.GetProperty("works").GetBoolean()).ShouldBe((ExitCode.Success, true));
        ran.Json.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("milliseconds").GetDouble())
            .ShouldAllBe(ms => ms > 0 && ms < 10_000);
        ran.Json.GetProperty("rows").GetArrayLength().ShouldBe(2);
        ran.Json.GetProperty("senders").EnumerateArray().ShouldAllBe(sender => sender.GetProperty("state").GetString() == "streaming");
        ran.Json.GetProperty("slots").EnumerateArray().Count(slot => slot.GetProperty("isActive").GetBoolean()).ShouldBe(2);
        ran.Json.GetProperty("receivers").EnumerateArray().ShouldAllBe(receiver => receiver.GetProperty("timeline").GetInt32() == 1);
        (await AskAsync<long>("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tidemark%'")).ShouldBe(0);
    }

    [Fact]
    public async Task People_read_it_as_tables_with_a_verdict()
    {
        var ran = await ConfirmAsync();

        ran.Output.ShouldContain("(pg_stat_replication)");
        ran.Lines.ShouldContain("Replication works: 2 of 2 replicas have shown the row.");
        (await RanCommand.RunAsync(40, Cancelled, ["confirm", .. three.Options])).Lines.ShouldAllBe(line => line.Length <= 40);
    }

    [Fact]
    public async Task A_replica_that_does_not_show_the_row_in_time_is_a_finding_and_nothing_hangs()
    {
        await three.Cluster["pg-3"].PauseReplayAsync(Cancelled);
        try
        {
            var ran = await ConfirmAsync("--timeout", "300ms");
            ran.Output.ShouldContain("has not shown it within 300 ms");
            ran.Output.ShouldContain($"Replication does not work everywhere: {three.NameOf("pg-3")}. 'tidemark doctor'");
            ran.ExitCode.ShouldBe(ExitCode.Finding);
        }
        finally
        {
            await three.Cluster["pg-3"].ResumeReplayAsync(Cancelled);
        }
    }

    [Fact]
    public async Task A_role_without_the_right_is_told_which_one()
    {
        await AskAsync<object>("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN CREATE ROLE reader "
            + "LOGIN; END IF; END $$");
        await three.Cluster.WaitForReplayAsync(Cancelled);

        var ran = await RanCommand.RunAsync(
            ["confirm",
            .. three.Options.Select(option => option.Replace("Username=postgres", "Username=reader", StringComparison.Ordinal))]);
        ran.Errors.ShouldContain("permission denied for database store. The row needs a schema of its own: GRANT CREATE ON DATABASE "
            + "\"store\" TO \"reader\".");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task What_the_primary_refuses_to_make_is_the_complaint_and_nothing_is_said_to_be_left()
    {
        var ran = await RanCommand.RunAsync(
            ["confirm", .. three.Options.Select(option => option.Replace("Username=postgres", "Username=postgres;Options=-c "
            + "default_transaction_read_only=on", StringComparison.Ordinal))]);
        ran.Errors.ShouldContain("refused to take a row: cannot execute CREATE SCHEMA in a read-only transaction");
        ran.Errors.ShouldNotContain("What is left");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("role", "ALTER ROLE")]
    [InlineData("database", "ALTER DATABASE")]
    public async Task A_limit_of_connections_is_told_with_what_raises_it(string which, string remedy)
    {
        var settings = new NpgsqlConnectionStringBuilder(three.Cluster.Primary.ConnectionString) { Username = "limited" };
        await AskAsync<object>("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'limited') THEN CREATE ROLE limited "
            + "LOGIN; END IF; END $$");
        await AskAsync<object>(which == "role" ? "ALTER ROLE limited CONNECTION LIMIT 0" : "ALTER ROLE limited CONNECTION LIMIT -1");
        await AskAsync<object>("DROP DATABASE IF EXISTS limited");
        await AskAsync<object>("CREATE DATABASE limited CONNECTION LIMIT 0");
        if (which == "database") settings.Database = "limited";

        var ran = await RanCommand.RunAsync("doctor", "--connection", settings.ConnectionString);
        (ran.Output + ran.Errors).ShouldContain($"has no connection left for {which} limited");
        (ran.Output + ran.Errors).ShouldContain($"{remedy} … CONNECTION LIMIT");
    }

    [Theory]
    [InlineData("confirm")]
    [InlineData("verify")]
    public async Task Where_all_tables_are_published_no_table_is_made(string command)
    {
        // Its subscribers have no such table, and would never get past its rows.
        await AskAsync<object>("CREATE PUBLICATION everything FOR ALL TABLES");
        try
        {
            var ran = await RanCommand.RunAsync([command, .. three.Options]);
            ran.Errors.ShouldContain("the database store has a publication for all tables (everything)");
            ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
        }
        finally
        {
            await AskAsync<object>("DROP PUBLICATION everything");
        }
    }

    [Fact]
    public async Task Without_a_primary_there_is_nothing_to_write_on()
    {
        var ran = await RanCommand.RunAsync("confirm", "--connection", three.Cluster["pg-2"].ConnectionString);
        ran.Errors.ShouldContain("there is no primary to write a row on");
        ran.Errors.ShouldContain($"127.0.0.1 ({three.NameOf("pg-2")}): is a replica");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_primary_alone_confirms_nothing()
    {
        var ran = await RanCommand.RunAsync("confirm", "--connection", three.Cluster["pg-1"].ConnectionString);
        ran.Output.ShouldContain("There is no replica among the nodes");
        ran.ExitCode.ShouldBe(ExitCode.Finding);
    }

    private Task<RanCommand> ConfirmAsync(params string[] arguments) => RanCommand.RunAsync(["confirm", .. three.Options, .. arguments]);

    private async Task<T?> AskAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(three.Cluster.Primary.ConnectionString);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync(Cancelled);
    }
}

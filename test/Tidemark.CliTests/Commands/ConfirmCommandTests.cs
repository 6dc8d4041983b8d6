using Npgsql;
using Tidemark.Cli;

namespace Tidemark;

public sealed class ConfirmCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_row_is_read_from_each_replica_and_the_schema_is_dropped()
    {
        var ran = await ConfirmAsync("--json");

        (ran.ExitCode, ran.Json.GetProperty("works").GetBoolean()).ShouldBe((ExitCode.Success, true));
        ran.Json.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("milliseconds").GetDouble())
            .ShouldAllBe(ms => ms > 0 && ms < 10_000);
        ran.Json.GetProperty("rows").GetArrayLength().ShouldBe(2);
        ran.Json.GetProperty("senders").EnumerateArray().ShouldAllBe(sender => sender.GetProperty("state").GetString() == "streaming");
        ran.Json.GetProperty("slots").EnumerateArray().Count(slot => slot.GetProperty("isActive").GetBoolean()).ShouldBe(2);
        ran.Json.GetProperty("receivers").EnumerateArray().ShouldAllBe(receiver => receiver.GetProperty("timeline").GetInt32() == 1);
        (await QueryAsync<long>("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tidemark%'")).ShouldBe(0);
    }

    [Fact]
    public async Task The_text_output_has_tables_and_a_verdict()
    {
        var ran = await ConfirmAsync();

        ran.Output.ShouldContain("(pg_stat_replication)");
        ran.Lines.ShouldContain("Replication works: 2 of 2 replicas have shown the row.");
        (await RanCommand.RunAsync(40, Cancelled, ["confirm", .. three.Options])).Lines.ShouldAllBe(line => line.Length <= 40);
    }

    [Fact]
    public async Task A_replica_that_does_not_show_the_row_in_time_is_a_finding()
    {
        await three.Cluster["pg-3"].PauseReplayAsync(Cancelled);
        try
        {
            var ran = await ConfirmAsync("--timeout", "300ms");
            ran.Output.ShouldContain("row not visible within 300 ms");
            ran.Output.ShouldContain($"Replication does not work everywhere: {three.NameOf("pg-3")}. Run 'tidemark doctor'");
            ran.ExitCode.ShouldBe(ExitCode.Finding);
        }
        finally
        {
            await three.Cluster["pg-3"].ResumeReplayAsync(Cancelled);
        }
    }

    [Fact]
    public async Task A_role_without_the_privilege_gets_the_missing_grant()
    {
        await QueryAsync<object>("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN CREATE ROLE reader "
            + "LOGIN; END IF; END $$");
        await three.Cluster.WaitForReplayAsync(Cancelled);

        var ran = await RanCommand.RunAsync(
            ["confirm",
            .. three.Options.Select(option => option.Replace("Username=postgres", "Username=reader", StringComparison.Ordinal))]);
        ran.Errors.ShouldContain("permission denied for database store. The command creates a schema for the row: GRANT CREATE ON DATABASE "
            + "\"store\" TO \"reader\".");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_refused_row_is_reported_without_a_leftover_schema()
    {
        var ran = await RanCommand.RunAsync(
            ["confirm", .. three.Options.Select(option => option.Replace("Username=postgres", "Username=postgres;Options=-c "
            + "default_transaction_read_only=on", StringComparison.Ordinal))]);
        ran.Errors.ShouldContain("refused the row: cannot execute CREATE SCHEMA in a read-only transaction");
        ran.Errors.ShouldNotContain("could not be dropped");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("role", "ALTER ROLE")]
    [InlineData("database", "ALTER DATABASE")]
    public async Task A_connection_limit_is_reported_with_the_statement_that_raises_it(string which, string remedy)
    {
        var settings = new NpgsqlConnectionStringBuilder(three.Cluster.Primary.ConnectionString) { Username = "limited" };
        await QueryAsync<object>("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'limited') THEN CREATE ROLE limited "
            + "LOGIN; END IF; END $$");
        await QueryAsync<object>(which == "role" ? "ALTER ROLE limited CONNECTION LIMIT 0" : "ALTER ROLE limited CONNECTION LIMIT -1");
        await QueryAsync<object>("DROP DATABASE IF EXISTS limited");
        await QueryAsync<object>("CREATE DATABASE limited CONNECTION LIMIT 0");
        if (which == "database") settings.Database = "limited";

        var ran = await RanCommand.RunAsync("doctor", "--connection", settings.ConnectionString);
        (ran.Output + ran.Errors).ShouldContain($"has no free connections for {which} limited");
        (ran.Output + ran.Errors).ShouldContain($"{remedy} … CONNECTION LIMIT");
    }

    [Theory]
    [InlineData("confirm")]
    [InlineData("verify")]
    public async Task No_table_is_created_if_all_tables_are_published(string command)
    {
        // Its subscribers do not have the table, and would stop at its rows.
        await QueryAsync<object>("CREATE PUBLICATION everything FOR ALL TABLES");
        try
        {
            var ran = await RanCommand.RunAsync([command, .. three.Options]);
            ran.Errors.ShouldContain("the database store has a publication for all tables (everything)");
            ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
        }
        finally
        {
            await QueryAsync<object>("DROP PUBLICATION everything");
        }
    }

    [Fact]
    public async Task Without_a_primary_confirm_fails()
    {
        var ran = await RanCommand.RunAsync("confirm", "--connection", three.Cluster["pg-2"].ConnectionString);
        ran.Errors.ShouldContain("no primary found to write the row on");
        ran.Errors.ShouldContain($"127.0.0.1 ({three.NameOf("pg-2")}): is a replica");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_primary_without_replicas_is_a_finding()
    {
        var ran = await RanCommand.RunAsync("confirm", "--connection", three.Cluster["pg-1"].ConnectionString);
        ran.Output.ShouldContain("There is nothing to confirm: the cluster has no replicas.");
        ran.ExitCode.ShouldBe(ExitCode.Finding);
    }

    private Task<RanCommand> ConfirmAsync(params string[] arguments) => RanCommand.RunAsync(["confirm", .. three.Options, .. arguments]);

    private async Task<T?> QueryAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(three.Cluster.Primary.ConnectionString);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync(Cancelled);
    }
}

using Tidemark.Testing;

namespace Tidemark;

public sealed class LocalClusterOptionsTests
{
    [Fact]
    public async Task All_option_errors_are_reported_at_once_before_any_action()
    {
        var options = new LocalClusterOptions
        {
            Replicas = 15,
            PostgresVersion = 14,
            Timeout = TimeSpan.Zero,
            Database = "a\"b",
            Settings = { ["Port"] = "1", ["drop table"] = "x", ["work_mem"] = "1MB" },
        };
        var error =
            await Should.ThrowAsync<ArgumentException>(() => LocalCluster.StartAsync(options, TestContext.Current.CancellationToken));
        foreach (var name in new[] { "Replicas is 15", "PostgresVersion is 14", "Timeout is 00:00:00", "Database",
            "Settings contains Port, which the cluster sets", "\"drop table\"" })
            error.Message.ShouldContain(name);
        error.Message.ShouldNotContain("work_mem");
    }

    [Fact]
    public void The_defaults_have_no_error() => new LocalClusterOptions().FindErrors().ShouldBeEmpty();

    [Fact]
    public void A_primary_waits_for_its_followers_and_a_standby_streams_through_its_slot()
    {
        var primary = ServerSettings.Compose([], new ServerRole("pg-1", 5001, null, TimeSpan.Zero, ["pg-2", "pg-3"]));
        primary.ShouldContain("synchronous_standby_names = 'FIRST 2 (\"pg-2\", \"pg-3\")'\n");
        primary.ShouldNotContain("primary_conninfo");

        var standby = ServerSettings.Compose([], new ServerRole("pg-2", 5002, 5001, TimeSpan.FromMilliseconds(1500), []));
        standby.ShouldContain("synchronous_standby_names = ''\n");
        standby.ShouldContain("host=127.0.0.1 port=5001 user=postgres application_name=pg-2 ");
        standby.ShouldContain("primary_slot_name = 'pg_2'\n");
        standby.ShouldContain("recovery_min_apply_delay = '1500ms'\n");
    }

    [Fact]
    public void A_chosen_setting_comes_after_the_default_so_that_it_wins()
    {
        var text = ServerSettings.Compose(
            [new("fsync", "on"), new("my.note", @"it's a \")], new ServerRole("pg-1", 5001, null, TimeSpan.Zero, []));
        text.IndexOf("fsync = 'on'", StringComparison.Ordinal).ShouldBeGreaterThan(text.IndexOf("fsync = 'off'", StringComparison.Ordinal));
        text.ShouldContain(@"my.note = 'it''s a \\'");
    }

    [Fact]
    public void Port_blocks_that_are_held_do_not_overlap()
    {
        using var one = PortBlock.Claim(kept: []);
        using var two = PortBlock.Claim(kept: []);
        Math.Abs(one.BasePort - two.BasePort).ShouldBeGreaterThan(PortBlock.MostNodes);
    }
}

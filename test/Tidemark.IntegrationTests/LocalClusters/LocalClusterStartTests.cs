using System.Net;
using System.Net.Sockets;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Starts under unusual conditions.</summary>
public sealed class LocalClusterStartTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_clusters_run_at_once_and_are_kept_apart()
    {
        var starts = await Task.WhenAll(LocalCluster.StartAsync(1, Stop), LocalCluster.StartAsync(1, Stop));
        await using var one = starts[0];
        await using var two = starts[1];

        one.Nodes.Concat(two.Nodes).Select(node => node.Port).ShouldBeUnique();
        await one.Primary.RunAsync("CREATE TABLE only_here ()");
        await one.WaitForReplayAsync(Stop);
        await two.WaitForReplayAsync(Stop);
        const string exists = "SELECT to_regclass('only_here') IS NOT NULL";
        (await one["pg-2"].QueryAsync<bool>(exists)).ShouldBeTrue();
        (await two["pg-2"].QueryAsync<bool>(exists)).ShouldBeFalse();

        const string identity = "SELECT system_identifier FROM pg_control_system()";
        (await one["pg-2"].QueryAsync<long>(identity)).ShouldBe(await one.Primary.QueryAsync<long>(identity));
        (await two.Primary.QueryAsync<long>(identity)).ShouldNotBe(await one.Primary.QueryAsync<long>(identity));
    }

    [Fact]
    public async Task A_port_that_is_taken_at_the_last_moment_is_exchanged_for_another()
    {
        TcpListener? thief = null;
        PortBlock ClaimAndLoseOne()
        {
            var block = PortBlock.Claim(kept: []);
            if (thief is not null)
                return block;
            thief = new TcpListener(IPAddress.Loopback, block.PortOf(1));
            thief.Start();
            return block;
        }

        await using var cluster = await ClusterLauncher.StartAsync(
            new LocalClusterOptions { Replicas = 1 }, SearchEnvironment.Current(), ClaimAndLoseOne, Stop);
        cluster.Nodes.Select(node => node.Port).ShouldNotContain(((IPEndPoint)thief!.LocalEndpoint).Port);
        await cluster.WaitForReplayAsync(Stop);
        thief.Dispose();
    }

    [Fact]
    public async Task A_primary_alone_is_a_cluster()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 0, Stop);
        cluster.Replicas.ShouldBeEmpty();
        await cluster.Primary.RunAsync("BEGIN; SET LOCAL synchronous_commit = remote_apply; CREATE TABLE alone (); COMMIT");
        await cluster.WaitForReplayAsync(Stop);
    }

    [Fact]
    public async Task Options_decide_settings_and_the_name_of_the_database()
    {
        await using var cluster = await LocalCluster.StartAsync(
            new LocalClusterOptions { Replicas = 1, Database = "shop's",
                Settings = { ["work_mem"] = "7MB", ["application.note"] = @"a 'b' \c" } }, Stop);
        foreach (var node in cluster.Nodes)
        {
            (await node.QueryAsync<string>("SELECT current_database()::text")).ShouldBe("shop's");
            (await node.QueryAsync<string>("SHOW work_mem")).ShouldBe("7MB");
            (await node.QueryAsync<string>("SHOW application.note")).ShouldBe(@"a 'b' \c");
        }
    }

    [Fact]
    public async Task A_version_that_is_not_installed_is_fetched_and_runs_with_a_replica()
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 1, PostgresVersion = 18 }, Stop);
        cluster.PostgresVersion.ShouldBe(18);
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.WaitForReplayAsync(Stop);
        (await cluster["pg-2"].CountAsync(table)).ShouldBe(1);
        (await cluster["pg-2"].QueryAsync<string>("SHOW server_version")).ShouldStartWith("18.");

        await cluster.Primary.KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
    }

    [Theory]
    [InlineData(16)]
    [InlineData(17)]
    public async Task Every_supported_version_runs_with_a_replica_that_can_be_promoted(int major)
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions { PostgresVersion = major }, Stop);
        cluster.PostgresVersion.ShouldBe(major);
        await cluster.Primary.KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.MakeTableAsync();
        await cluster.WaitForReplayAsync(Stop);
    }

    [Fact]
    public async Task Without_npm_a_Debian_package_is_unpacked_and_used_and_nothing_is_installed()
    {
        var cache = Directory.CreateTempSubdirectory("tidemark-cache-").FullName;
        var programs = Directory.CreateDirectory(cache + "/programs").FullName;
        var here = SearchEnvironment.Current();
        foreach (var program in new[] { "apt-get", "dpkg", "setpriv", "setsid" })
            File.CreateSymbolicLink(Path.Combine(programs, program), here.FindProgram(program)
                ?? throw new InvalidOperationException(program));

        await using (var cluster = await ClusterLauncher.StartAsync(new LocalClusterOptions { Replicas = 1 },
            here with { ChosenBin = null, Path = [programs], UsualFolders = [], Cache = cache }, () => PortBlock.Claim(kept: []), Stop))
        {
            (await cluster.Primary.QueryAsync<string>("SELECT setting FROM pg_config WHERE name = 'BINDIR'")).ShouldStartWith(cache);
            await cluster.WaitForReplayAsync(Stop);
        }

        Directory.GetFileSystemEntries(cache + "/postgres").ShouldHaveSingleItem();
        Directory.Delete(cache, recursive: true);
    }
}

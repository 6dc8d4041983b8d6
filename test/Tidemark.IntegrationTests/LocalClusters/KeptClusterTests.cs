using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Clusters that outlive the process that started them. Opening one again simulates another process: its servers are then not children of
/// this process.
/// </summary>
public sealed class KeptClusterTests : IAsyncLifetime
{
    private readonly KeptClusters _kept = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _kept.DisposeAsync();

    [Fact]
    public async Task A_kept_cluster_runs_after_it_is_disposed_and_can_be_opened_by_name()
    {
        int?[] servers;
        string table;
        await using (var cluster = await KeptClusters.StartAsync("one"))
        {
            servers = [.. cluster.Nodes.Select(node => node.ProcessId)];
            table = await cluster.Primary.MakeTableAsync();
        }

        KeptCluster.FindNames().ShouldBe(["one"]);
        var kept = KeptCluster.Read("one");
        kept.Nodes.Select(node => node.Name).ShouldBe(["pg-1", "pg-2"]);
        await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
        {
            cluster.Nodes.Select(node => node.ProcessId).ShouldBe(servers);
            cluster.Nodes.Select(node => node.ConnectionString).ShouldBe(kept.Nodes.Select(node => node.ConnectionString));
            await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
            await cluster.WaitForReplayAsync(Stop);
            (await cluster["pg-2"].CountAsync(table)).ShouldBe(1);
        }

        await LocalCluster.DeleteAsync("one", Stop);
        servers.ShouldAllBe(server => ProcessTable.CommandLine(server!.Value).Trim().Length == 0);
        Directory.EnumerateFileSystemEntries(_kept.Folder).ShouldBeEmpty();
        var error = await Should.ThrowAsync<KeyNotFoundException>(() => LocalCluster.OpenAsync("one", Stop));
        error.Message.ShouldContain("tidemark cluster up --name one");
    }

    [Fact]
    public async Task Servers_of_an_opened_cluster_can_be_controlled_like_child_processes()
    {
        await (await KeptClusters.StartAsync("one", replicas: 2)).DisposeAsync();
        await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
        {
            var (primary, replica) = (cluster.Primary, cluster["pg-2"]);
            var table = await primary.MakeTableAsync();
            await primary.KillAsync(Stop);
            primary.IsRunning.ShouldBeFalse();
            await primary.StartAsync(Stop);                 // its shared memory is free at once
            await replica.StopAsync(cancellationToken: Stop);
            replica.ProcessId.ShouldBeNull();
            await replica.StartAsync(Stop);
            await replica.StopAsync(StopMode.Immediate, Stop);
            await replica.StartAsync(Stop);
            await replica.DelayReplayAsync(TimeSpan.FromHours(1), Stop);
            await primary.RunAsync($"INSERT INTO {table} VALUES (1)");
            await cluster["pg-3"].WaitForReplayAsync(Stop);
            (await replica.CountAsync(table)).ShouldBe(0);
            await cluster["pg-3"].PromoteAsync(cancellationToken: Stop);
        }

        // The next process reads the new state.
        await using var again = await LocalCluster.OpenAsync("one", Stop);
        again.Primary.Name.ShouldBe("pg-3");
        again.Replicas.ShouldHaveSingleItem().Follows.ShouldBe(again.Primary);
        (await KeptCluster.Read("one").QueryNodesAsync(Stop)).Select(node => node.Role)
            .ShouldBe([LocalNodeRole.OldPrimary, LocalNodeRole.Replica, LocalNodeRole.Primary]);
        (await again["pg-2"].QueryAsync<string>("SHOW recovery_min_apply_delay")).ShouldBe("1h");
    }

    [Fact]
    public async Task After_a_reboot_all_nodes_are_down_and_start_again()
    {
        await using (var cluster = await KeptClusters.StartAsync("one"))
        {
            await cluster.Primary.RunAsync("CREATE TABLE survives ()");
            await cluster.WaitForReplayAsync(Stop);
            foreach (var node in cluster.Nodes)
                await node.KillAsync(Stop);
        }

        // Another process has received the server's former process id.
        using var other = StartAsServerUser("sleep", "600");
        var file = Path.Combine(_kept.Folder, "one", "pg-2", "postmaster.pid");
        var lines = await File.ReadAllLinesAsync(file, Stop);
        lines[0] = other.Id.ToString(CultureInfo.InvariantCulture);
        await File.WriteAllLinesAsync(file, lines, Stop);

        (await KeptCluster.Read("one").QueryNodesAsync(Stop)).ShouldAllBe(node => !node.IsRunning && !node.Answers);
        await using var again = await LocalCluster.OpenAsync("one", Stop);
        foreach (var node in again.Nodes)
            await node.StartAsync(Stop);
        await again.WaitForReplayAsync(Stop);
        (await again["pg-2"].QueryAsync<bool>("SELECT to_regclass('survives') IS NOT NULL")).ShouldBeTrue();
        other.HasExited.ShouldBeFalse();
        other.Kill();
    }

    [Fact]
    public async Task Ports_of_a_stopped_node_stay_its_own()
    {
        // The process that starts a cluster holds a listener on its port block. The process that opens it does not.
        await (await KeptClusters.StartAsync("one")).DisposeAsync();
        await using var cluster = await LocalCluster.OpenAsync("one", Stop);
        var port = cluster["pg-2"].Port;
        PortBlock.IsBase(port - 2).ShouldBeTrue();
        foreach (var node in cluster.Nodes)
            await node.StopAsync(cancellationToken: Stop);

        KeptCluster.FindPorts(SearchEnvironment.Current()).ShouldBe([port - 2]);
        for (var block = 0; block < 750; block++)           // all blocks
        {
            using var claim = PortBlock.Claim(KeptCluster.FindPorts(SearchEnvironment.Current()));
            claim.BasePort.ShouldNotBe(port - 2);
        }

        // Another program can still take the port. The node then reports that.
        using var thief = new TcpListener(IPAddress.Loopback, port);
        thief.Start();
        var error = await Should.ThrowAsync<LocalClusterException>(() => cluster["pg-2"].StartAsync(Stop));
        error.Message.ShouldContain($"Another program listens on port {port}");
        thief.Stop();
        await cluster["pg-2"].StartAsync(Stop);
    }

    [Fact]
    public async Task Two_processes_that_change_one_cluster_wait_for_each_other()
    {
        var cluster = await KeptClusters.StartAsync("one", replicas: 0);
        var second = LocalCluster.OpenAsync("one", Stop);
        second.IsCompleted.ShouldBeFalse();
        await cluster.DisposeAsync();
        await (await second).DisposeAsync();

        await using var again = await LocalCluster.OpenAsync("one", Stop);
        var error = await Should.ThrowAsync<LocalClusterException>(() => LocalCluster.DeleteAsync("one", Stop));
        error.Message.ShouldContain($"process {Environment.ProcessId}");
    }

    [Fact]
    public async Task A_lock_that_cannot_be_created_is_not_reported_as_held_by_another_process() =>
        await Should.ThrowAsync<DirectoryNotFoundException>(() => ClusterLock.TakeAsync(Path.Combine(_kept.Folder, "absent"), "one", Stop));

    [Fact]
    public async Task A_name_in_use_is_refused_and_the_existing_cluster_is_kept()
    {
        await (await KeptClusters.StartAsync("one", replicas: 0)).DisposeAsync();
        (await Should.ThrowAsync<LocalClusterException>(() => KeptClusters.StartAsync("one")))
            .Message.ShouldContain("There is a cluster one already");
        (await KeptCluster.Read("one").QueryNodesAsync(Stop)).ShouldHaveSingleItem().Answers.ShouldBeTrue();
    }

    [Fact]
    public async Task A_start_that_fails_leaves_nothing()
    {
        var options = new LocalClusterOptions { Name = "one", Settings = { ["shared_buffers"] = "lots" } };
        await Should.ThrowAsync<LocalClusterException>(() => LocalCluster.StartAsync(options, Stop));
        Directory.EnumerateFileSystemEntries(_kept.Folder).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Copying")]
    [InlineData("Starting")]
    [InlineData("Waiting")]
    public async Task A_start_that_is_cancelled_leaves_nothing(string stage)
    {
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var reached = false;
        var options = new LocalClusterOptions
        {
            Name = "one",
            Replicas = 1,
            Progress = new Reported(said =>
            {
                if (!said.StartsWith(stage, StringComparison.Ordinal))
                    return;
                reached = Directory.Exists(Path.Combine(_kept.Folder, "one"));
                cancelled.Cancel();
            }),
        };
        await Should.ThrowAsync<OperationCanceledException>(() => LocalCluster.StartAsync(options, cancelled.Token));
        reached.ShouldBeTrue();
        Directory.EnumerateFileSystemEntries(_kept.Folder).ShouldBeEmpty();
        ProcessTable.ServersUnder(_kept.Folder).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_interrupted_start_is_listed_and_reported_and_deleted_only_on_request()
    {
        int server;
        await using (var cluster = await KeptClusters.StartAsync("one", replicas: 0))
            server = cluster.Primary.ProcessId!.Value;
        File.Delete(Path.Combine(_kept.Folder, "one", KeptState.FileName));
        Directory.CreateDirectory(Path.Combine(_kept.Folder, "photos", "2024"));       // not a cluster

        KeptCluster.FindNames().ShouldBe(["one"]);
        Should.Throw<LocalClusterException>(() => KeptCluster.Read("one")).Message.ShouldContain("tidemark cluster down --name one");
        (await Should.ThrowAsync<LocalClusterException>(() => KeptClusters.StartAsync("one"))).Message.ShouldContain("was interrupted");
        ProcessTable.CommandLine(server).Trim().ShouldNotBeEmpty();
        await LocalCluster.DeleteAsync("one", Stop);
        ProcessTable.CommandLine(server).Trim().ShouldBeEmpty();

        await Should.ThrowAsync<KeyNotFoundException>(() => LocalCluster.DeleteAsync("photos", Stop));
        (await Should.ThrowAsync<LocalClusterException>(() => KeptClusters.StartAsync("photos"))).Message.ShouldContain("is not a cluster");
        Directory.EnumerateFileSystemEntries(_kept.Folder).ShouldBe([Path.Combine(_kept.Folder, "photos")]);
    }

    [Fact]
    public async Task A_server_started_by_hand_is_recognized_with_any_spelling_of_its_folder()
    {
        await (await KeptClusters.StartAsync("one", replicas: 0)).DisposeAsync();
        var link = _kept.Folder + "-link";
        Directory.CreateSymbolicLink(link, _kept.Folder);
        Process? server = null;
        try
        {
            Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, link);
            (await KeptCluster.Read("one").QueryNodesAsync(Stop)).ShouldHaveSingleItem().Answers.ShouldBeTrue();
            await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
            {
                await cluster.Primary.StopAsync(cancellationToken: Stop);
                var user = ServerUser.Choose(SearchEnvironment.Current());
                server = Process.Start(
                    cluster.Launcher.Binaries.Describe(["postgres", "-D", Path.Combine(link, "one", "pg-1") + "/"], user))!;
            }

            (await Poll.UntilAsync(async () => (await KeptCluster.Read("one").QueryNodesAsync(Stop)).Single().Answers,
                TimeSpan.FromSeconds(20), TimeProvider.System, Stop)).ShouldBeTrue();
            await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
                cluster.Primary.ProcessId.ShouldBe(server.Id);
            await LocalCluster.DeleteAsync("one", Stop);
            (await Poll.UntilAsync(() => ValueTask.FromResult(server.HasExited), TimeSpan.FromSeconds(5), TimeProvider.System, Stop))
                .ShouldBeTrue();
        }
        finally
        {
            server?.Kill();
            server?.Dispose();
            Directory.Delete(link);
        }
    }

    [Fact]
    public async Task A_cluster_is_not_reported_as_deleted_while_one_of_its_servers_runs()
    {
        int server;
        await using (var cluster = await KeptClusters.StartAsync("one", replicas: 0))
            server = cluster.Primary.ProcessId!.Value;

        // No file leads to the server any more, and the stopped server does not detect that.
        File.Delete(Path.Combine(_kept.Folder, "one", "pg-1", "postmaster.pid"));
        using (var stop = StartAsServerUser("kill", "-s", "STOP", $"{server}"))
            await stop.WaitForExitAsync(Stop);
        try
        {
            var error = await Should.ThrowAsync<LocalClusterException>(() => LocalCluster.DeleteAsync("one", Stop));
            error.Message.ShouldContain($"{server}");
        }
        finally
        {
            using var process = Process.GetProcessById(server);
            process.Kill();
        }

        (await Poll.UntilAsync(() => ValueTask.FromResult(ProcessTable.ServersUnder(_kept.Folder).Count == 0), TimeSpan.FromSeconds(20),
            TimeProvider.System, Stop)).ShouldBeTrue();
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task The_servers_user_can_replace_no_file_that_this_process_reads_writes_or_runs()
    {
        await (await KeptClusters.StartAsync("one", replicas: 0)).DisposeAsync();
        var folder = Path.Combine(_kept.Folder, "one");
        (File.GetUnixFileMode(folder) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)).ShouldBe(UnixFileMode.None);
        if (!SearchEnvironment.Current().IsRoot) return;     // the current user runs the servers

        var secret = Path.Combine(_kept.Folder, "secret");
        await File.WriteAllTextAsync(secret, "ours", Stop);
        foreach (var attempt in new[] { $"mv {folder}/cluster.json {folder}/x", $"echo x >>{folder}/cluster.json",
            $"ln -s {secret} {folder}/cluster.json.new", $"echo x >>{folder}/pg-1.log", $"mv {folder}/pg-1 {folder}/x" })
        {
            using var shell = StartAsServerUser("sh", "-c", attempt);
            await shell.WaitForExitAsync(Stop);
            shell.ExitCode.ShouldNotBe(0, attempt);
        }

        // The user of the servers may change its own data. Tidemark must not follow a link there that this user could not follow.
        using var link = StartAsServerUser("sh", "-c", $"cd {folder}/pg-1 && ln -s {secret} tidemark.conf.new");
        await link.WaitForExitAsync(Stop);
        link.ExitCode.ShouldBe(0);
        await using var cluster = await LocalCluster.OpenAsync("one", Stop);
        await cluster.Primary.StopAsync(cancellationToken: Stop);
        await Should.ThrowAsync<LocalClusterException>(() => cluster.Primary.StartAsync(Stop));
        (await File.ReadAllTextAsync(secret, Stop)).ShouldBe("ours");
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{ \"format\": 2 }")]
    public async Task A_damaged_state_is_reported_and_the_cluster_can_still_be_deleted(string text)
    {
        int server;
        await using (var cluster = await KeptClusters.StartAsync("one", replicas: 0))
            server = cluster.Primary.ProcessId!.Value;
        await File.WriteAllTextAsync(Path.Combine(_kept.Folder, "one", KeptState.FileName), text, Stop);

        KeptCluster.FindNames().ShouldBe(["one"]);
        foreach (var error in new[] { Should.Throw<LocalClusterException>(() => KeptCluster.Read("one")),
            await Should.ThrowAsync<LocalClusterException>(() => LocalCluster.OpenAsync("one", Stop)) })
            error.Message.ShouldContain("tidemark cluster down --name one");
        KeptCluster.FindPorts(SearchEnvironment.Current()).ShouldBeEmpty();
        await LocalCluster.DeleteAsync("one", Stop);
        ProcessTable.CommandLine(server).Trim().ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(_kept.Folder).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_node_that_was_promoted_by_hand_is_recognized_as_the_primary()
    {
        await (await KeptClusters.StartAsync("one")).DisposeAsync();
        await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
            await cluster["pg-2"].RunAsync("SELECT pg_promote()");
        await using var again = await LocalCluster.OpenAsync("one", Stop);
        again.Primary.Name.ShouldBe("pg-2");
        again.Replicas.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_interrupted_promotion_that_the_server_accepted_is_detected_later()
    {
        await (await KeptClusters.StartAsync("one")).DisposeAsync();
        var settings = Path.Combine(_kept.Folder, "one", "pg-2", NodeFolder.SettingsFile);
        await using (var cluster = await LocalCluster.OpenAsync("one", Stop))
        {
            // A folder in place of the file prevents the settings from being written.
            File.Move(settings, settings + ".before");
            Directory.CreateDirectory(settings);
            await Should.ThrowAsync<Exception>(() => cluster["pg-2"].PromoteAsync(cancellationToken: Stop));
            Directory.Delete(settings);
            File.Move(settings + ".before", settings);
        }

        await using var again = await LocalCluster.OpenAsync("one", Stop);
        again.Primary.Name.ShouldBe("pg-2");
        (await KeptCluster.Read("one").QueryNodesAsync(Stop)).Select(node => node.Role)
            .ShouldBe([LocalNodeRole.OldPrimary, LocalNodeRole.Primary]);
        (await again["pg-1"].RejoinAsync(Stop)).Method.ShouldBe(RejoinMethod.Rewind);
    }

    [Fact]
    public async Task A_server_that_refuses_connections_is_reported_with_its_message()
    {
        var options = new LocalClusterOptions { Name = "one", Replicas = 0, Settings = { ["max_connections"] = "10" } };
        await using var cluster = await LocalCluster.StartAsync(options, Stop);
        var taken = new List<NpgsqlConnection>();
        try
        {
            for (var number = 0; number < 10; number++)
            {
                taken.Add(new NpgsqlConnection(cluster.Primary.ConnectionString + ";Pooling=false"));
                await taken[^1].OpenAsync(Stop);
            }

            var node = (await KeptCluster.Read("one").QueryNodesAsync(Stop)).ShouldHaveSingleItem();
            (node.IsRunning, node.Answers).ShouldBe((true, false));
            node.Refusal.ShouldNotBeNull().ShouldContain("too many clients");
        }
        finally
        {
            foreach (var connection in taken)
                await connection.DisposeAsync();
        }
    }

    /// <summary>Reports synchronously, unlike <see cref="Progress{T}"/>.</summary>
    private sealed class Reported(Action<string> tell) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value) => tell(value.Stage);
    }

    private static Process StartAsServerUser(params string[] command)
    {
        var all = ServerUser.Choose(SearchEnvironment.Current()).Run(command).ToList();
        return Process.Start(all[0], all.Skip(1))!;
    }
}

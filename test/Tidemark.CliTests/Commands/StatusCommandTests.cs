using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tidemark.Cli;

namespace Tidemark;

public sealed class StatusCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    [Fact]
    public async Task Each_node_is_shown_with_role_position_staleness_and_load()
    {
        await three.Cluster.WaitForReplayAsync(TestContext.Current.CancellationToken);
        var ran = await RanCommand.RunAsync(["status", "--json", .. three.Options]);
        var nodes = ran.Json.GetProperty("nodes").EnumerateArray().ToList();

        (ran.ExitCode, ran.Errors).ShouldBe((ExitCode.Success, ""));
        nodes.Select(node => node.GetProperty("role").GetString()).ShouldBe(["Primary", "Replica", "Replica"]);
        nodes.Skip(1).ShouldAllBe(
            node => node.GetProperty("stalenessMs").GetDouble() < 10_000 && node.GetProperty("lagBytes").GetInt64() < 100_000, ran.Output);
        nodes.ShouldAllBe(node => node.GetProperty("load").GetProperty("connections").GetInt32() > 0
            && node.GetProperty("timeline").GetInt32() == 1);
    }

    [Fact]
    public async Task The_text_output_is_a_table_with_the_same_content()
    {
        var ran = await RanCommand.RunAsync(["status", .. three.Options]);

        ran.Lines[0].ShouldBe($"{three.NameOf("pg-1")} is the primary, 3 of 3 nodes can serve (cluster from --connection).");
        ran.Lines[2].ShouldStartWith("Node");
        ran.Lines.Count(line => line.Contains(" replica ", StringComparison.Ordinal) && line.EndsWith("ok", StringComparison.Ordinal))
            .ShouldBe(2);
    }

    [Fact]
    public async Task An_unauthenticated_server_cannot_send_control_characters_to_the_terminal()
    {
        // An ErrorResponse. Its length field includes itself.
        const string fields = "SFATAL\0VFATAL\0C28000\0Mgo away \e[2J\a\0\0";
        await using var listener = new OddListener($"E\0\0\0{(char)(fields.Length + 4)}{fields}");
        var alone =
            await RanCommand.RunAsync("status", "--connection",
            $"Host=127.0.0.1:{listener.Port};Username=postgres;Database=store;SSL Mode=Disable");
        alone.Errors.ShouldContain("28000: go away ?[2J?\n");
        (alone.ExitCode, alone.Errors.Contains('\e', StringComparison.Ordinal)).ShouldBe((ExitCode.WrongUsage, false));

        foreach (var width in new[] { int.MaxValue, 40 })
        {
            var ran = await RanCommand.RunAsync(width, CancellationToken.None, "status", "--connection",
                $"Host=127.0.0.1:{three.Cluster.Primary.Port},127.0.0.1:{listener.Port};Username=postgres;Database=store;SSL Mode=Disable");
            ran.Output.ShouldContain("go away ?[2J?");
            (ran.ExitCode, ran.Output.Contains('\e', StringComparison.Ordinal)).ShouldBe((ExitCode.Finding, false));
        }
    }

    [Fact]
    public async Task Forty_columns_are_enough()
    {
        var ran = await RanCommand.RunAsync(40, CancellationToken.None, ["status", .. three.Options]);
        ran.Lines.ShouldAllBe(line => line.Length <= 40);
    }

    [Fact]
    public async Task Paused_replay_is_a_note_and_not_a_finding()
    {
        var replica = three.Cluster["pg-2"];
        await replica.PauseReplayAsync(TestContext.Current.CancellationToken);
        try
        {
            var ran = await RanCommand.RunAsync(["status", .. three.Options]);
            ran.Output.ShouldContain("replay is paused");
            ran.ExitCode.ShouldBe(ExitCode.Success);
        }
        finally
        {
            await replica.ResumeReplayAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_node_that_is_down_is_a_finding_and_the_others_are_shown()
    {
        var ran = await RanCommand.RunAsync(
            ["status", "--json", .. three.Options, "--connection", "Host=127.0.0.1;Port=1;Database=store;Username=postgres"]);
        var down = ran.Json.GetProperty("nodes")[3];

        ran.ExitCode.ShouldBe(ExitCode.Finding);
        (down.GetProperty("isServing").GetBoolean(), down.GetProperty("problem").GetString())
            .ShouldBe((false, "unreachable: Connection refused"));
        ran.Json.GetProperty("nodes")[0].GetProperty("isServing").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task A_missing_database_is_a_finding_although_the_servers_are_up()
    {
        var ran = await RanCommand.RunAsync(
            ["status", .. three.Options.Select(option => option.Replace("Database=store", "Database=nosuch", StringComparison.Ordinal))]);
        ran.Output.ShouldContain("no database nosuch");
        ran.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Fact]
    public async Task Without_a_reachable_node_each_node_is_listed_with_its_reason()
    {
        var ran = await RanCommand.RunAsync("status", "--connection",
            "Host=127.0.0.1;Port=1;Database=store;Username=postgres;Password=s3cret");

        ran.Errors.ShouldContain("127.0.0.1 (127.0.0.1:1): unreachable: Connection refused");
        ran.Errors.ShouldNotContain("s3cret");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task Watching_continues_until_it_is_interrupted_which_is_a_success()
    {
        using var stop = new CancellationTokenSource();
        var lines = new LineCounter(3, stop);
        var exitCode = await CommandLine.RunAsync(
            ["status", "--watch", "--json", "--interval", "100ms", .. three.Options], new Terminal(lines, TextWriter.Null),
                RanCommand.Nowhere, stop.Token);

        exitCode.ShouldBe(ExitCode.Success);
        lines.Lines.Length.ShouldBeGreaterThanOrEqualTo(3);
        lines.Lines.ShouldAllBe(line => JsonDocument.Parse(line).RootElement.GetProperty("nodes").GetArrayLength() == 3);
    }

    [Fact]
    public async Task Watching_ends_with_the_pipe_that_reads_it()
    {
        var tool = Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll");
        var start =
            new ProcessStartInfo("bash",
            ["-c", "dotnet \"$@\" | head -n 2; echo \"${PIPESTATUS[0]}\"", "bash", tool, "status", "--watch", "--json", "--interval",
            "100ms", .. three.Options])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1].ShouldBe("0");
        (await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("SSL Mode=Disable;GSS Encryption Mode=Disable")]
    public async Task A_port_that_is_not_PostgreSQL_is_reported(string more)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
                await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            }
        }, TestContext.Current.CancellationToken);

        var ran = await RanCommand.RunAsync("status", "--connection",
            $"Host=127.0.0.1;Port={((IPEndPoint)listener.LocalEndpoint).Port};Username=u;Password=s3cret;{more}");
        ran.Errors.ShouldContain("is not a PostgreSQL server");
        ran.Errors.ShouldNotContain("s3cret");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task Watching_uses_the_alternate_screen_and_shows_recent_staleness()
    {
        using var stop = new CancellationTokenSource();
        var pages = new LineCounter(12, stop);
        await CommandLine.RunAsync(
            ["status", "--watch", "--interval", "100ms", .. three.Options],
                new Terminal(pages, TextWriter.Null) { IsScreen = true, HasColour = true }, RanCommand.Nowhere, stop.Token);

        pages.Text.ShouldStartWith("\e[?1049h");
        pages.Text.ShouldEndWith("\e[?1049l");
        pages.Text.ShouldMatch("[▁▂▃▄▅▆▇█]{2}");
    }

    /// <summary>An output that stops the command after a number of lines.</summary>
    private sealed class LineCounter(int lines, CancellationTokenSource stop) : StringWriter
    {
        public string Text => ToString();

        public string[] Lines => Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        public override void Write(string? value)
        {
            base.Write(value);
            if (Lines.Length >= lines) stop.Cancel();
        }

        public override void WriteLine(string? value) => Write(value + "\n");
    }
}

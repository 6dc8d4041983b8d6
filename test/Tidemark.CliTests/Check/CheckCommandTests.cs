using System.Diagnostics;
using System.Globalization;
using Tidemark.Cli;

namespace Tidemark;

public sealed class CheckCommandTests : IDisposable
{
    private const string Clean = """
        write 0 0 5 1 1 100 acknowledged
        commit 1 1 100 1 10
        read 0 6 8 0 replica session - 1:1:100
        """;

    private const string Stale = """
        write 0 0 5 1 1 100 acknowledged
        commit 1 1 100 1 10
        read 0 6 8 0 replica session - 1:0:0
        """;

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_clean_history_is_a_success()
    {
        var ran = await CheckAsync(Histories.Text(Clean));
        ran.Output.ShouldContain("Clean");
        (ran.ExitCode, ran.Errors).ShouldBe((ExitCode.Success, ""));
    }

    [Fact]
    public async Task A_violation_is_a_finding_with_its_description()
    {
        var ran = await CheckAsync(Histories.Text(Stale));
        ran.Output.ShouldContain("ReadYourWrites: Operation #1 (read on replica-1, alice");
        ran.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Fact]
    public async Task JSON_has_the_same_records_as_the_text()
    {
        var json = (await CheckAsync(Histories.Text(Stale), "--json")).Json;
        (json.GetProperty("operations").GetInt64(), json.GetProperty("reads").GetInt64(), json.GetProperty("violations").GetInt64())
            .ShouldBe((2, 1, 1));
        json.GetProperty("violationsByKind").GetProperty("ReadYourWrites").GetInt64().ShouldBe(1);
        var listed = json.GetProperty("listed").EnumerateArray().ShouldHaveSingleItem();
        (listed.GetProperty("operation").GetInt32(), listed.GetProperty("because").GetInt32()).ShouldBe((1, 0));
    }

    [Fact]
    public async Task A_truncated_file_is_refused_with_its_line()
    {
        var text = Histories.Text(Stale);
        var ran = await CheckAsync(text[..text.IndexOf(":0:0", StringComparison.Ordinal)]);
        ran.Errors.ShouldContain("Line 9: ");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task A_contradictory_file_is_rejected_with_its_line()
    {
        var ran = await CheckAsync(Histories.Text(Stale + "\ncommit 1 1 100 1 11"), "--json");
        ran.Errors.ShouldContain("cannot be checked. Line ");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task A_missing_or_unwritable_file_is_reported_with_its_name()
    {
        var missing = await RanCommand.RunAsync("check", "/nowhere/history.txt");
        missing.Errors.ShouldContain("/nowhere/history.txt");
        missing.ExitCode.ShouldBe(ExitCode.WrongUsage);

        var unwritable = await CheckAsync(Histories.Text(Clean), "--html", "/nowhere/report.html");
        unwritable.Errors.ShouldContain("/nowhere/report.html");
        unwritable.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData(Stale, 1)]
    [InlineData(Clean, 0)]
    public async Task A_closed_pipe_does_not_change_the_exit_code(string records, int exitCode)
    {
        await File.WriteAllTextAsync(_file, Histories.Text(records), TestContext.Current.CancellationToken);

        // The reader closes the pipe before the tool starts, so that its first write already fails.
        var (broken, brokenErrors) = await RunAsync("{ while [ ! -e \"$1.gone\" ]; do sleep 0.02; done; dotnet \"$0\" check \"$1\"; "
            + "echo $? > \"$1\"; } | { exec 0<&-; touch \"$1.gone\"; }");
        (broken, brokenErrors).ShouldBe((exitCode, ""));
        File.Delete(_file + ".gone");
    }

    [Fact]
    public async Task A_full_disk_does_not_change_the_exit_code_of_a_violation()
    {
        await File.WriteAllTextAsync(_file, Histories.Text(Stale), TestContext.Current.CancellationToken);
        (await RunAsync("dotnet \"$0\" check \"$1\" > /dev/full; echo $? > \"$1\"")).ExitCode.ShouldBe(1);
        await File.WriteAllTextAsync(_file, Histories.Text(Clean), TestContext.Current.CancellationToken);
        var (exitCode, errors) = await RunAsync("dotnet \"$0\" check \"$1\" > /dev/full; echo $? > \"$1\"");
        exitCode.ShouldBe(2);
        errors.ShouldContain("the output could not be written");
    }

    // Runs the built tool in a shell, which writes the exit code into the file.
    private async Task<(int ExitCode, string Errors)> RunAsync(string script)
    {
        using var shell =
            Process.Start(
            new ProcessStartInfo("/bin/sh",
            ["-c", script, Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll"), _file]) { RedirectStandardError = true })!;
        var errors = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (int.Parse(await File.ReadAllTextAsync(_file, TestContext.Current.CancellationToken), CultureInfo.InvariantCulture), errors);
    }

    private async Task<RanCommand> CheckAsync(string text, params string[] options)
    {
        await File.WriteAllTextAsync(_file, text);
        return await RanCommand.RunAsync(["check", _file, .. options]);
    }
}

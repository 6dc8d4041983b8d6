using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

public sealed class TerminalTests : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    private readonly SharedWriter _errors = new();
    private readonly VirtualTime _time = new();
    private readonly TaskCompletionSource<int> _work = new();

    public void Dispose() => _errors.Dispose();

    [Fact]
    public async Task Short_work_shows_no_progress()
    {
        var working = Watched().WithStagesAsync("Starting", report =>
        {
            report("Copying");
            return _work.Task;
        });
        _time.Advance(Moment - TimeSpan.FromMilliseconds(1));
        _work.SetResult(5);
        (await working).ShouldBe(5);
        _errors.ToString().ShouldBe("");
    }

    [Fact]
    public async Task Longer_work_shows_its_current_stage_until_it_ends()
    {
        Action<string> report = _ => { };
        var working = Watched().WithStagesAsync("Starting", reporter =>
        {
            report = reporter;
            report("Copying");
            return _work.Task;
        });
        _time.Advance(Moment);
        await DoctorCluster.UntilAsync(() => Task.FromResult(_errors.ToString().Length > 0));
        _errors.ToString().ShouldBe("Copying …");
        report("Waiting for \e[2J");
        _errors.ToString().ShouldEndWith($"\r{new string(' ', 9)}\rWaiting for ?[2J …");

        _work.SetException(new IOException("no room"));
        await Should.ThrowAsync<IOException>(() => working);
        _errors.ToString().ShouldEndWith($"\r{new string(' ', 18)}\r");
        var shown = _errors.ToString();
        report("Late");
        _errors.ToString().ShouldBe(shown);
    }

    [Fact]
    public async Task A_stage_is_truncated_to_the_width_of_the_terminal()
    {
        var working = Watched().WithStagesAsync(new string('x', 200), _ => _work.Task);
        _time.Advance(Moment);
        await DoctorCluster.UntilAsync(() => Task.FromResult(_errors.ToString().Length > 0));
        _errors.ToString().ShouldBe($"{new string('x', 37)} …");
        _work.SetResult(0);
        await working;
    }

    [Fact]
    public async Task Nothing_is_shown_if_errors_are_redirected()
    {
        var working = new Terminal(_errors, _errors) { Time = _time }.WithStagesAsync("Starting", _ => _work.Task);
        _time.Advance(10 * Moment);
        _work.SetResult(0);
        await working;
        _errors.ToString().ShouldBe("");
    }

    [Fact]
    public void Control_characters_in_lines_facts_and_cells_are_replaced()
    {
        const string hostile = "x\e[2J\u009b\r\ny";
        using var output = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(output, output);
        terminal.Line(hostile, indent: 2);
        Facts.Write(terminal, ("name", hostile));
        new Table<string>(new Cli.Column<string>("Column", text => text)).Write(terminal, [hostile]);
        output.ToString().ShouldBe("  x?[2J???y\nname  x?[2J???y\nColumn\nx?[2J???y\n");
    }

    [Fact]
    public void An_error_keeps_its_lines_without_control_characters()
    {
        using var errors = new StringWriter { NewLine = "\n" };
        CommandLine.Fail("no node can be reached:\r\n  pg-1: \e[2Jgone", new Terminal(errors, errors));
        errors.ToString().ShouldBe("tidemark: no node can be reached:\n  pg-1: ?[2Jgone\n");
    }

    private Terminal Watched() => new(_errors, _errors) { ShowsProgress = true, Width = 40, Time = _time };

    /// <summary>A writer that can be read on another thread.</summary>
    private sealed class SharedWriter : StringWriter
    {
        private readonly Lock _gate = new();

        public override void Write(string? value)
        {
            lock (_gate) base.Write(value);
        }

        public override string ToString()
        {
            lock (_gate) return base.ToString();
        }
    }
}

using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

public sealed class TerminalTests : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    private readonly Heard _errors = new();
    private readonly VirtualTime _time = new();
    private readonly TaskCompletionSource<int> _work = new();

    public void Dispose() => _errors.Dispose();

    [Fact]
    public async Task What_takes_a_moment_is_not_shown_to_be_under_way()
    {
        var working = Watched().WithStagesAsync("Starting", tell =>
        {
            tell("Copying");
            return _work.Task;
        });
        _time.Advance(Moment - TimeSpan.FromMilliseconds(1));
        _work.SetResult(5);
        (await working).ShouldBe(5);
        _errors.ToString().ShouldBe("");
    }

    [Fact]
    public async Task What_takes_longer_shows_its_stage_and_those_that_follow_until_it_is_over()
    {
        Action<string> tell = _ => { };
        var working = Watched().WithStagesAsync("Starting", teller =>
        {
            tell = teller;
            tell("Copying");
            return _work.Task;
        });
        _time.Advance(Moment);
        await DoctorCluster.UntilAsync(() => Task.FromResult(_errors.ToString().Length > 0));
        _errors.ToString().ShouldBe("Copying …");
        tell("Waiting for \e[2J");
        _errors.ToString().ShouldEndWith($"\r{new string(' ', 9)}\rWaiting for ?[2J …");

        _work.SetException(new IOException("no room"));
        await Should.ThrowAsync<IOException>(() => working);
        _errors.ToString().ShouldEndWith($"\r{new string(' ', 18)}\r");
        var shown = _errors.ToString();
        tell("Late");
        _errors.ToString().ShouldBe(shown);
    }

    [Fact]
    public async Task A_stage_is_no_longer_than_the_terminal_is_wide()
    {
        var working = Watched().WithStagesAsync(new string('x', 200), _ => _work.Task);
        _time.Advance(Moment);
        await DoctorCluster.UntilAsync(() => Task.FromResult(_errors.ToString().Length > 0));
        _errors.ToString().ShouldBe($"{new string('x', 37)} …");
        _work.SetResult(0);
        await working;
    }

    [Fact]
    public async Task Nothing_is_shown_where_nobody_watches()
    {
        var working = new Terminal(_errors, _errors) { Time = _time }.WithStagesAsync("Starting", _ => _work.Task);
        _time.Advance(10 * Moment);
        _work.SetResult(0);
        await working;
        _errors.ToString().ShouldBe("");
    }

    [Fact]
    public void A_line_a_fact_and_a_cell_stay_one_line_and_paint_nothing_whatever_is_in_them()
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
    public void A_complaint_keeps_its_lines_and_paints_nothing()
    {
        using var errors = new StringWriter { NewLine = "\n" };
        CommandLine.Complain("no node can be asked:\r\n  pg-1: \e[2Jgone", new Terminal(errors, errors));
        errors.ToString().ShouldBe("tidemark: no node can be asked:\n  pg-1: ?[2Jgone\n");
    }

    private Terminal Watched() => new(_errors, _errors) { ShowsProgress = true, Width = 40, Time = _time };

    /// <summary>What was written, for a reader on another thread.</summary>
    private sealed class Heard : StringWriter
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

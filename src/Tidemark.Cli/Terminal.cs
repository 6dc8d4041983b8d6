using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Tidemark.Cli;

/// <summary>The output and error stream of a command. A pipe gets plain text, without colours, wrapping or progress.</summary>
#pragma warning disable CA1001 // Its output wraps a stream that belongs to the process, so there is nothing to dispose.
internal sealed class Terminal(TextWriter output, TextWriter error)
#pragma warning restore CA1001
{
    private const int LeastWidth = 20;
    private const int UsualWidth = 80;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    private readonly CommandOutput _out = new(output);

    /// <summary>The standard output.</summary>
    public TextWriter Out => _out;

    /// <summary>
    /// Why the output could not be written; <c>null</c> if it could. A command continues without output, so that its exit code still
    /// reports the result after the reader of a pipe is gone. A command that runs until it is stopped ends.
    /// </summary>
    public IOException? OutputFailure => _out.Failure;

    /// <summary>The standard error, for errors and progress.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Width of the output in columns; unlimited in a pipe.</summary>
    public int Width { get; init; } = int.MaxValue;

    /// <summary>Whether the output is coloured.</summary>
    public bool HasColour { get; init; }

    /// <summary>Whether the output is a terminal that supports drawing, rather than a pipe.</summary>
    public bool IsScreen { get; init; }

    /// <summary>Returns the current width of a terminal, which can be resized; <c>null</c> if the width is fixed.</summary>
    public Func<int>? Resized { get; init; }

    /// <summary>Whether <see cref="Error"/> is a terminal, so that progress is visible.</summary>
    public bool ShowsProgress { get; init; }

    /// <summary>The clock for the delay before progress is shown.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    [SuppressMessage("Reliability", "CA2000", Justification = "The process's own output lives as long as the process.")]
    public static Terminal OfThisProcess() => new(OutOfThisProcess(), Console.Error)
    {
        Width = Console.IsOutputRedirected ? int.MaxValue : ColumnsOfConsole(),
        HasColour = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        IsScreen = !Console.IsOutputRedirected,
        Resized = Console.IsOutputRedirected ? null : ColumnsOfConsole,
        ShowsProgress = !Console.IsErrorRedirected,
    };

    // The console stream ignores the error when the reader of a pipe is gone, so a command that runs until it is stopped would never end.
    [SuppressMessage("Reliability", "CA2000", Justification = "The process's own output lives as long as the process.")]
    private static TextWriter OutOfThisProcess()
    {
        if (!Console.IsOutputRedirected || OperatingSystem.IsWindows()) return Console.Out;
        const int standardOutput = 1;
        var pipe = new FileStream(new SafeFileHandle(standardOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        if (!pipe.CanSeek) return new StreamWriter(pipe) { AutoFlush = true };
        pipe.Dispose();
        return Console.Out;
    }

    /// <summary>Opens a page that is redrawn until it is disposed.</summary>
    public Screen OpenScreen() => new(this);

    /// <summary>Returns a copy of the terminal with its current width that writes to <paramref name="page"/>.</summary>
    public Terminal Onto(TextWriter page) =>
        new(page, Error) { Width = Resized?.Invoke()
        ?? Width, HasColour = HasColour, IsScreen = IsScreen, ShowsProgress = ShowsProgress, Time = Time };

    /// <summary>
    /// Writes a line, wrapped between words if it is too long. Control characters in the text are replaced, so that text from a server or a
    /// file cannot add lines or change colours.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="tone">The colour.</param>
    /// <param name="indent">Indentation in columns, also of wrapped lines.</param>
    public void Line(string text = "", Tone tone = Tone.Plain, int indent = 0)
    {
        var width = Width == int.MaxValue ? int.MaxValue : Math.Max(1, Width - indent);
        foreach (var line in Words.Wrap(Words.Printable(text), width)) Out.WriteLine($"{new string(' ', indent)}{Paint(line, tone)}");
    }

    public string Paint(string text, Tone tone) => HasColour && tone != Tone.Plain ? $"\e[{(int)tone}m{text}\e[0m" : text;

    /// <summary>Runs long work, with a progress bar if <see cref="ShowsProgress"/>.</summary>
    /// <param name="title">The description of the work.</param>
    /// <param name="work">The work. It reports the completed share, from 0 to 1, and a description.</param>
    public T WithProgress<T>(string title, Func<Action<double, string>, T> work) =>
        ShowsProgress ? Progress().Start(context => work(Reporter(context, title))) : work((_, _) => { });

    /// <inheritdoc cref="WithProgress"/>
    public Task<T> WithProgressAsync<T>(string title, Func<Action<double, string>, Task<T>> work) =>
        ShowsProgress ? Progress().StartAsync(context => work(Reporter(context, title))) : work((_, _) => { });

    private Progress Progress()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Error) });
        var bar = new ProgressBarColumn { Width = Math.Clamp(console.Profile.Width - 50, 5, 40) };
        return console.Progress().AutoClear(enabled: true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, bar, new PercentageColumn(), new RemainingTimeColumn());
    }

    private static Action<double, string> Reporter(ProgressContext context, string title)
    {
        var task = context.AddTask(Markup.Escape(title), maxValue: 1);
        return (share, word) =>
        {
            task.Value = share;
            task.Description = Markup.Escape(word.Length == 0 ? title : word);
        };
    }

    /// <summary>Runs work, and shows its current stage if <see cref="ShowsProgress"/> and it takes longer than 300 ms.</summary>
    /// <param name="title">The first stage.</param>
    /// <param name="work">The work. It can report further stages.</param>
    public async Task<T> WithStagesAsync<T>(string title, Func<Action<string>, Task<T>> work)
    {
        if (!ShowsProgress) return await work(_ => { });
        var line = new StageLine(Error, Math.Min(Width, UsualWidth), title);
        var working = work(line.Report);
        try
        {
            if (await Task.WhenAny(working, Task.Delay(Moment, Time)) != working) line.Show();
            return await working;
        }
        finally
        {
            line.Clear();
        }
    }

    /// <inheritdoc cref="WithStagesAsync{T}"/>
    public Task WithStagesAsync(string title, Func<Action<string>, Task> work) => WithStagesAsync(title, async report =>
    {
        await work(report);
        return true;
    });

    private static int ColumnsOfConsole()
    {
        try
        {
            return Math.Max(LeastWidth, Console.WindowWidth);
        }
        catch (IOException)
        {
            return UsualWidth;
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;
using Spectre.Console;

namespace Tidemark.Cli;

/// <summary>Where a command speaks. In a pipe nothing is coloured, nothing is wrapped and no progress is shown.</summary>
#pragma warning disable CA1001 // Its output wraps a stream that belongs to the process, and has nothing of its own to free.
internal sealed class Terminal(TextWriter output, TextWriter error)
#pragma warning restore CA1001
{
    private const int LeastWidth = 20;
    private const int UsualWidth = 80;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    private readonly CommandOutput _out = new(output);

    /// <summary>What was asked for.</summary>
    public TextWriter Out => _out;

    /// <summary>
    /// Why the output could not be written; null as long as it can. A command goes on without it and returns what it found: that the reader
    /// of a pipe has gone
    /// does not change what was found. A command that runs until it is stopped ends.
    /// </summary>
    public IOException? OutputFailure => _out.Failure;

    /// <summary>Complaints and progress.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Columns of the output; as many as one likes in a pipe.</summary>
    public int Width { get; init; } = int.MaxValue;

    /// <summary>Whether the output is coloured.</summary>
    public bool HasColour { get; init; }

    /// <summary>Whether the output is a screen that can be drawn on, and no pipe.</summary>
    public bool IsScreen { get; init; }

    /// <summary>Asks how wide a screen is now, which can be resized; null: as wide as it was.</summary>
    public Func<int>? Resized { get; init; }

    /// <summary>Whether somebody watches <see cref="Error"/>.</summary>
    public bool ShowsProgress { get; init; }

    /// <summary>The time by which a moment is measured.</summary>
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

    // The console's own stream says nothing when the reader of a pipe has gone, and a command that goes on until it is stopped would never
    // end.
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

    /// <summary>A page that is drawn over and over until it is disposed of.</summary>
    public Screen OpenScreen() => new(this);

    /// <summary>The same terminal, as wide as it is now, whose output goes elsewhere.</summary>
    public Terminal Onto(TextWriter page) =>
        new(page, Error) { Width = Resized?.Invoke()
        ?? Width, HasColour = HasColour, IsScreen = IsScreen, ShowsProgress = ShowsProgress, Time = Time };

    /// <summary>
    /// Writes a line, wrapped between words where it is too long. It stays one line, and paints nothing, whatever a server or a file has
    /// put into it.
    /// </summary>
    /// <param name="text">What it says.</param>
    /// <param name="tone">What its colour says.</param>
    /// <param name="indent">Columns that it is moved to the right, with all that it is wrapped into.</param>
    public void Line(string text = "", Tone tone = Tone.Plain, int indent = 0)
    {
        var width = Width == int.MaxValue ? int.MaxValue : Math.Max(1, Width - indent);
        foreach (var line in Words.Wrap(Words.Printable(text), width)) Out.WriteLine($"{new string(' ', indent)}{Paint(line, tone)}");
    }

    public string Paint(string text, Tone tone) => HasColour && tone != Tone.Plain ? $"\e[{(int)tone}m{text}\e[0m" : text;

    /// <summary>Does something that takes long, with a bar of progress where somebody watches.</summary>
    /// <param name="title">What it does.</param>
    /// <param name="work">Does it, and tells the share that is done, 0 to 1, with a word about it.</param>
    public T WithProgress<T>(string title, Func<Action<double, string>, T> work) =>
        ShowsProgress ? Progress().Start(context => work(Teller(context, title))) : work((_, _) => { });

    /// <inheritdoc cref="WithProgress"/>
    public Task<T> WithProgressAsync<T>(string title, Func<Action<double, string>, Task<T>> work) =>
        ShowsProgress ? Progress().StartAsync(context => work(Teller(context, title))) : work((_, _) => { });

    private Progress Progress()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Error) });
        var bar = new ProgressBarColumn { Width = Math.Clamp(console.Profile.Width - 50, 5, 40) };
        return console.Progress().AutoClear(enabled: true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, bar, new PercentageColumn(), new RemainingTimeColumn());
    }

    private static Action<double, string> Teller(ProgressContext context, string title)
    {
        var task = context.AddTask(Markup.Escape(title), maxValue: 1);
        return (share, word) =>
        {
            task.Value = share;
            task.Description = Markup.Escape(word.Length == 0 ? title : word);
        };
    }

    /// <summary>Does something, and shows the stage it is in where somebody watches and it takes more than a moment.</summary>
    /// <param name="title">The first stage.</param>
    /// <param name="work">Does it, and may tell further stages.</param>
    public async Task<T> WithStagesAsync<T>(string title, Func<Action<string>, Task<T>> work)
    {
        if (!ShowsProgress) return await work(_ => { });
        var line = new StageLine(Error, Math.Min(Width, UsualWidth), title);
        var working = work(line.Tell);
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
    public Task WithStagesAsync(string title, Func<Action<string>, Task> work) => WithStagesAsync(title, async tell =>
    {
        await work(tell);
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

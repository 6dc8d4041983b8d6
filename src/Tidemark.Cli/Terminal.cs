using Spectre.Console;

namespace Tidemark.Cli;

/// <summary>Where a command speaks. In a pipe nothing is coloured, nothing is wrapped and no progress is shown.</summary>
internal sealed class Terminal(TextWriter output, TextWriter error)
{
    private const int LeastWidth = 20;

    /// <summary>What was asked for.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Complaints and progress.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Columns of the output; as many as one likes in a pipe.</summary>
    public int Width { get; init; } = int.MaxValue;

    /// <summary>Whether the output is coloured.</summary>
    public bool HasColour { get; init; }

    /// <summary>Whether somebody watches <see cref="Error"/>.</summary>
    public bool ShowsProgress { get; init; }

    public static Terminal OfThisProcess() => new(Console.Out, Console.Error)
    {
        Width = Console.IsOutputRedirected ? int.MaxValue : ColumnsOfConsole(),
        HasColour = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        ShowsProgress = !Console.IsErrorRedirected,
    };

    /// <summary>Writes a line, wrapped between words where it is too long.</summary>
    public void Line(string text = "", Tone tone = Tone.Plain)
    {
        foreach (var line in Words.Wrap(text, Width)) Out.WriteLine(Paint(line, tone));
    }

    public string Paint(string text, Tone tone) => HasColour && tone != Tone.Plain ? $"\e[{(int)tone}m{text}\e[0m" : text;

    /// <summary>Does something that takes long, with a bar of progress where somebody watches.</summary>
    /// <param name="title">What it does.</param>
    /// <param name="work">Does it, and tells the share that is done, 0 to 1, with a word about it.</param>
    public T WithProgress<T>(string title, Func<Action<double, string>, T> work)
    {
        if (!ShowsProgress) return work((_, _) => { });
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Error) });
        var bar = new ProgressBarColumn { Width = Math.Clamp(console.Profile.Width - 50, 5, 40) };
        return console.Progress().AutoClear(enabled: true).Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, bar, new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                return work((share, word) =>
                {
                    task.Value = share;
                    task.Description = Markup.Escape(word.Length == 0 ? title : word);
                });
            });
    }

    private static int ColumnsOfConsole()
    {
        try
        {
            return Math.Max(LeastWidth, Console.WindowWidth);
        }
        catch (IOException)
        {
            return 80;
        }
    }
}

/// <summary>What colour says; the numbers are those of ANSI.</summary>
internal enum Tone
{
    Plain = 0,
    Strong = 1,
    Quiet = 2,
    Bad = 31,
    Good = 32,
}

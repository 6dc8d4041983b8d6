using System.Text;

namespace Tidemark.Cli;

/// <summary>
/// The output of a command. When it can no longer be written, because the reader of a pipe has gone or a disk is full, the rest is dropped
/// and the reason kept: a
/// command that was cut short by its own output would not return what it found.
/// </summary>
internal sealed class CommandOutput : TextWriter
{
#pragma warning disable CA2213 // The stream is the process's, or a test's: its owner disposes of it.
    private readonly TextWriter _inner;
#pragma warning restore CA2213

    public CommandOutput(TextWriter inner)
    {
        _inner = inner;
        CoreNewLine = inner.NewLine.ToCharArray();
    }

    /// <summary>Why it can no longer be written; null as long as it can.</summary>
    public IOException? Failure { get; private set; }

    public override Encoding Encoding => _inner.Encoding;

    public override void Write(char value) => Try(() => _inner.Write(value));

    public override void Write(string? value) => Try(() => _inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => _inner.Write(buffer, index, count));

    public override void WriteLine(string? value) => Try(() => _inner.WriteLine(value));

    public override void Flush() => Try(_inner.Flush);

    private void Try(Action write)
    {
        if (Failure is not null) return;
        try
        {
            write();
        }
        catch (IOException e)
        {
            Failure = e;
        }
    }
}

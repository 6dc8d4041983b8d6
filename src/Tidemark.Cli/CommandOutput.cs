using System.Text;

namespace Tidemark.Cli;

/// <summary>
/// The output of a command. When a write fails, because the reader of a pipe is gone or a disk is full, the rest of the output is dropped
/// and the reason is kept. If the failure ended the command, its exit code would not report the result.
/// </summary>
internal sealed class CommandOutput : TextWriter
{
#pragma warning disable CA2213 // The stream belongs to the process or to a test, and its owner disposes it.
    private readonly TextWriter _inner;
#pragma warning restore CA2213

    public CommandOutput(TextWriter inner)
    {
        _inner = inner;
        CoreNewLine = inner.NewLine.ToCharArray();
    }

    /// <summary>Why writes fail; <c>null</c> if they succeed.</summary>
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

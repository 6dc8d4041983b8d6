using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Cli;

/// <summary>What was asked for cannot be done: ends the command with its message and exit code 2.</summary>
[SuppressMessage("Design", "CA1032", Justification = "Without a message it would end a command without a word.")]
internal sealed class CommandException(string message, Exception? inner = null) : Exception(message, inner);

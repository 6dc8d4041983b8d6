using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Cli;

/// <summary>A request that cannot be carried out. Ends the command with its message and exit code 2.</summary>
[SuppressMessage("Design", "CA1032", Justification = "Without a message, a command would end without an explanation.")]
internal sealed class CommandException(string message, Exception? inner = null) : Exception(message, inner);

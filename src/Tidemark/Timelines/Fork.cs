using NpgsqlTypes;

namespace Tidemark;

/// <summary>The point at which one timeline was left for the next. It is either exact, or a range between two probe observations.</summary>
/// <param name="Parent">The timeline that was left.</param>
/// <param name="Child">The timeline that replaced it.</param>
/// <param name="AtLeast">WAL of the parent up to this position is part of the history of the child.</param>
/// <param name="AtMost">WAL of the parent after this position is not part of the history of the child.</param>
internal readonly record struct Fork(uint Parent, uint Child, NpgsqlLogSequenceNumber AtLeast, NpgsqlLogSequenceNumber AtMost);

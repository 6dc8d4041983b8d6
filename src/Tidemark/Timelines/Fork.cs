using NpgsqlTypes;

namespace Tidemark;

/// <summary>Where one timeline was left for the next. Known exactly, or bracketed by what probes saw before and after.</summary>
/// <param name="Parent">The timeline that was left.</param>
/// <param name="Child">The timeline that history went on with.</param>
/// <param name="AtLeast">Everything on the parent up to here is part of the child's history.</param>
/// <param name="AtMost">Nothing on the parent beyond here is.</param>
internal readonly record struct Fork(uint Parent, uint Child, NpgsqlLogSequenceNumber AtLeast, NpgsqlLogSequenceNumber AtMost);

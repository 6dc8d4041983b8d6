namespace Tidemark;

/// <summary>A place, and the primary's life in which this process learned it.</summary>
/// <param name="Place">The place.</param>
/// <param name="Incarnation">The life, as this process counts crashes.</param>
/// <param name="CameIn">Of a place from another process: the life that was current when it came.</param>
internal readonly record struct Stamp(Place Place, int Incarnation, int CameIn = 0)
{
    /// <summary>The place came from another process.</summary>
    public const int Unknown = -1;
}

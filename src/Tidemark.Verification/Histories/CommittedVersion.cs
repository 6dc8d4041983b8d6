namespace Tidemark.Verification;

/// <summary>A committed version of a key, and its place in the tree of the WAL.</summary>
internal struct CommittedVersion
{
    public long Rank;
    public long Value;
    public int Key;
    public int Version;
    public int Timeline;

    /// <summary>The operation that wrote it.</summary>
    public int Writer;
}

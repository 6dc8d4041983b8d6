namespace Tidemark.Verification;

/// <summary>A committed version of a key, and its position in the WAL tree.</summary>
internal struct CommittedVersion
{
    public long Rank;
    public long Value;
    public int Key;
    public int Version;
    public int Timeline;

    /// <summary>The operation that wrote the version.</summary>
    public int Writer;
}

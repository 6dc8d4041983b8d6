namespace Tidemark.Cli.Doctor;

/// <summary>Reads that a replica has cancelled since its statistics were reset.</summary>
internal sealed record Conflicts(long Snapshot, long Lock, long Bufferpin, long Deadlock, long Tablespace)
{
    public long All => Snapshot + Lock + Bufferpin + Deadlock + Tablespace;
}

namespace Tidemark.Verification;

internal enum OperationKind : byte
{
    Write,
    ReplicaRead,
    PrimaryRead,
}

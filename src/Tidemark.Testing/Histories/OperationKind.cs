namespace Tidemark.Testing;

internal enum OperationKind : byte
{
    Write,
    ReplicaRead,
    PrimaryRead,
}

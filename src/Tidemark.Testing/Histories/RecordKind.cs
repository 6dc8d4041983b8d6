namespace Tidemark.Testing;

internal enum RecordKind
{
    Unknown,
    Operation,
    HandOver,
    Commit,
    Fork,
    Loss,
    Settlement,
}

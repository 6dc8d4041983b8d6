namespace Tidemark.Verification;

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

namespace Tidemark.Verification;

internal readonly record struct HandOverRecord(int From, int To, long ExportedAt, long ImportedAt);

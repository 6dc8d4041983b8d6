namespace Tidemark.Verification;

internal readonly record struct SettleRecord(long Value, long Time);

namespace Tidemark.Testing;

internal readonly record struct SettleRecord(long Value, long Time);

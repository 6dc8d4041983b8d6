namespace Tidemark.Testing;

internal readonly record struct LossRecord(int Client, long Time);

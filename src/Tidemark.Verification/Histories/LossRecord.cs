namespace Tidemark.Verification;

internal readonly record struct LossRecord(int Client, long Time);

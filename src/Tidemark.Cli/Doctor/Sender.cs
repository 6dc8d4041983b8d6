namespace Tidemark.Cli.Doctor;

internal sealed record Sender(int Pid, string? Application, string? Address, string? State, string? SyncState);

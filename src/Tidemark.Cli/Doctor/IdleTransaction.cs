namespace Tidemark.Cli.Doctor;

internal sealed record IdleTransaction(int Pid, string? Role, string? Application, double Seconds);

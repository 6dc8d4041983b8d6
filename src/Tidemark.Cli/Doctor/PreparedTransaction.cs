namespace Tidemark.Cli.Doctor;

internal sealed record PreparedTransaction(string Gid, string Owner, double Seconds);

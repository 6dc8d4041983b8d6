namespace Tidemark.Cli.Doctor;

internal sealed record ServerFacts(bool IsInRecovery, string Version, int Major, string Role, bool SeesStatistics, long Connections,
    string StartedAt);

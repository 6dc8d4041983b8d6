namespace Tidemark.Cli.Doctor;

internal sealed record Setting(string Value, string? Unit, string? Source);

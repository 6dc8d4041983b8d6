namespace Tidemark.Cli.Doctor;

/// <summary>A check that could not be made on a node.</summary>
internal sealed record NotChecked(string Check, string Node, string Because);

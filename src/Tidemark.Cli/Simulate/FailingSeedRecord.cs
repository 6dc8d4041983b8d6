using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>A seed that failed, with the profile and policy needed to replay it.</summary>
internal sealed record FailingSeedRecord(int Seed, RoutingArm Policy, LagProfile Profile, SimulationFinding Finding, string Text);

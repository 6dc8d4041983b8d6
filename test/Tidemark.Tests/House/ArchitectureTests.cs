namespace Tidemark.House;

/// <summary>The layers described in ARCHITECTURE.md, checked against the source.</summary>
public sealed class ArchitectureTests
{
    // Each folder uses only those before it. "." is the project folder, with the public API.
    private static readonly string[] Core =
        ["Diagnostics", "Timelines", "Balancing", "Monitoring", "Routing", "Sessions", "Configuration", "Connections", "Reads", "Freshness",
            "."];

    private static readonly string[] Verification = ["Histories", "Recording", "Reports", "Simulation"];

    [Fact]
    public void No_folder_of_the_core_uses_one_above_it() => ShouldStandInOrder("src/Tidemark", Core);

    [Fact]
    public void No_folder_of_verification_uses_one_above_it() => ShouldStandInOrder("src/Tidemark.Verification", Verification);

    [Fact]
    public void Files_of_the_core_have_only_the_justified_circular_references() =>
        ReferenceGraph.Of("src/Tidemark").Circles().ShouldBe([
            // A factory and its products.
            "Balancer PowerOfTwoChoicesBalancer RandomBalancer RoundRobinBalancer",

            // The pools, the leases of their connections, and the commands with a piggybacked position. Each lease refers to its pool.
            "ClusterConnections PositionedCommand ReadLease ReadProof ReopeningCheck WriteLease",

            // A requirement and its text; a decision and the rules that explain it.
            "ReadRequirement RouteText",
            "RouteDecision Router",

            // The public API.
            "TidemarkCommand TidemarkDataSource TidemarkDataSourceBuilder TidemarkTransaction",
        ]);

    private static void ShouldStandInOrder(string project, string[] order)
    {
        var graph = ReferenceGraph.Of(project);

        graph.Folders.Except(order).ShouldBeEmpty("each folder must be in the list");
        graph.Upward(order).ShouldBeEmpty();
    }
}

namespace Tidemark.House;

/// <summary>The floors of ARCHITECTURE.md, read off the source.</summary>
public sealed class ArchitectureTests
{
    // Each folder uses those before it; "." is the front door.
    private static readonly string[] Core =
        ["Diagnostics", "Timelines", "Balancing", "Monitoring", "Routing", "Sessions", "Configuration", "Connections", "Reads", "Freshness",
            "."];

    private static readonly string[] Verification = ["Histories", "Recording", "Reports", "Simulation"];

    [Fact]
    public void No_folder_of_the_core_uses_one_above_it() => ShouldStandInOrder("src/Tidemark", Core);

    [Fact]
    public void No_folder_of_verification_uses_one_above_it() => ShouldStandInOrder("src/Tidemark.Verification", Verification);

    [Fact]
    public void Files_of_the_core_use_each_other_in_circles_only_where_it_is_justified() =>
        ReferenceGraph.Of("src/Tidemark").Circles().ShouldBe([
            // A factory and what it makes.
            "Balancer PowerOfTwoChoicesBalancer RandomBalancer RoundRobinBalancer",

            // The pools, the leases of their connections and the commands that end with a position: each lease returns to what lent it.
            "ClusterConnections PositionedCommand ReadLease ReadProof ReopeningCheck WriteLease",

            // A requirement and its text; a decision and the rules that explain it.
            "ReadRequirement RouteText",
            "RouteDecision Router",

            // The front door.
            "TidemarkCommand TidemarkDataSource TidemarkDataSourceBuilder TidemarkTransaction",
        ]);

    private static void ShouldStandInOrder(string project, string[] order)
    {
        var graph = ReferenceGraph.Of(project);

        graph.Folders.Except(order).ShouldBeEmpty("each folder has its place in the order");
        graph.Upward(order).ShouldBeEmpty();
    }
}

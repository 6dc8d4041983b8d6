namespace Tidemark.House;

/// <summary>The floors of ARCHITECTURE.md, read off the source.</summary>
public sealed class ArchitectureTests
{
    // Each folder uses those before it; "." is the front door.
    private static readonly string[] Core =
        ["Diagnostics", "Timelines", "Balancing", "Monitoring", "Routing", "Sessions", "Configuration", "Connections", "Reads", "Freshness",
            "."];

    // What is known about a connection, a command, a tracked entity; where a command runs; then what EF Core calls for each theme. The
    // mirror is for tests: nothing knows it.
    private static readonly string[] EntityFrameworkCore =
        ["Connections", "Commands", "Tracking", "Routing", "Queries", "Saving", "Transactions", "Explain", "Setup", "Mirror"];

    private static readonly string[] Testing = ["Machine", "Binaries", "Servers", "Clusters", "Time"];

    private static readonly string[] Verification = ["Histories", "Recording", "Reports", "Simulation"];

    [Fact]
    public void No_folder_of_the_core_uses_one_above_it() => ShouldStandInOrder("src/Tidemark", Core);

    [Fact]
    public void No_folder_of_testing_uses_one_above_it() => ShouldStandInOrder("src/Tidemark.Testing", Testing);

    [Fact]
    public void No_folder_of_verification_uses_one_above_it() => ShouldStandInOrder("src/Tidemark.Verification", Verification);

    [Fact]
    public void No_folder_of_the_EF_Core_package_uses_one_above_it() =>
        ShouldStandInOrder("src/Tidemark.EntityFrameworkCore", EntityFrameworkCore);

    [Fact]
    public void No_files_of_the_EF_Core_package_use_each_other_in_circles() =>
        ReferenceGraph.Of("src/Tidemark.EntityFrameworkCore").Circles().ShouldBeEmpty();

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

    [Fact]
    public void Files_of_testing_use_each_other_in_circles_only_where_it_is_justified() =>
        ReferenceGraph.Of("src/Tidemark.Testing").Circles().ShouldBe([
            // A cluster and its nodes, and what starts both: a node promotes and rejoins through its cluster.
            "ClusterLauncher LocalCluster LocalNode Rejoin",

            // A clock and what it makes.
            "VirtualTime VirtualTimer",
        ]);

    [Fact]
    public void Files_of_verification_use_each_other_in_circles_only_where_it_is_justified() =>
        ReferenceGraph.Of("src/Tidemark.Verification").Circles().ShouldBe([
            // One simulated world: its servers and applications, the clients that work in it, and what they receive, keep and count.
            "ClientJournal GivenToken RareOperations ReceivedAnswer SimulatedApplication SimulatedBrowser SimulatedClient SimulatedCluster "
                + "SimulatedConnection SimulatedRead SimulatedStatements SimulationCounts SimulationRun TokenMailbox TruePosition Weather "
                + "WorldShape",

            // A factory and what it makes.
            "CommitOrder SlotOrder TableOrder WalFilesOrder",

            // A recorder creates its clients, and a hand-over names the client that it comes from.
            "HistoryRecorder RecordedClient RecordedHandOver",
        ]);

    private static void ShouldStandInOrder(string project, string[] order)
    {
        var graph = ReferenceGraph.Of(project);

        graph.Folders.Except(order).ShouldBeEmpty("each folder has its place in the order");
        graph.Upward(order).ShouldBeEmpty();
    }
}

namespace Tidemark.House;

/// <summary>The layers described in ARCHITECTURE.md, checked against the source.</summary>
public sealed class ArchitectureTests
{
    // Each folder uses only those before it. "." is the project folder, with the public API.
    private static readonly string[] Core =
        ["Diagnostics", "Timelines", "Balancing", "Monitoring", "Routing", "Sessions", "Configuration", "Connections", "Reads", "Freshness",
            "."];

    // Connections, commands and tracked entities, then routing, then what EF Core calls. The mirror is for tests, so it stands last and
    // nothing refers to it.
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
    public void Files_of_the_EF_Core_package_have_no_circular_references() =>
        ReferenceGraph.Of("src/Tidemark.EntityFrameworkCore").Circles().ShouldBeEmpty();

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
            "TidemarkBatch TidemarkCommand TidemarkDataSource TidemarkDataSourceBuilder TidemarkTransaction",
        ]);

    [Fact]
    public void Files_of_testing_have_only_the_justified_circular_references() =>
        ReferenceGraph.Of("src/Tidemark.Testing").Circles().ShouldBe([
            // A cluster and its nodes, and what starts both: a node promotes and rejoins through its cluster.
            "ClusterLauncher LocalCluster LocalNode Rejoin",

            // A clock and its timers.
            "VirtualTime VirtualTimer",
        ]);

    [Fact]
    public void Files_of_verification_have_only_the_justified_circular_references() =>
        ReferenceGraph.Of("src/Tidemark.Verification").Circles().ShouldBe([
            // One simulated world: its servers and applications, their clients, and the results that these receive, record and count.
            "ClientJournal GivenToken RareOperations ReceivedAnswer SimulatedApplication SimulatedBrowser SimulatedClient SimulatedCluster "
                + "SimulatedConnection SimulatedRead SimulatedStatements SimulationCounts SimulationRun TokenMailbox TruePosition Weather "
                + "WorldShape",

            // A factory and its products.
            "CommitOrder SlotOrder TableOrder WalFilesOrder",

            // A recorder creates its clients, and a hand-over names the client that it comes from.
            "HistoryRecorder RecordedClient RecordedHandOver",
        ]);

    private static void ShouldStandInOrder(string project, string[] order)
    {
        var graph = ReferenceGraph.Of(project);

        graph.Folders.Except(order).ShouldBeEmpty("each folder must be in the list");
        graph.Upward(order).ShouldBeEmpty();
    }
}

using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

/// <summary>
/// Every query gives the same result with Tidemark as without: the same rows, the same errors, and the same tracked entities from the same
/// SQL. Tracked entities come from a replica only if that is requested, and no query without tracking runs on the primary.
/// </summary>
public sealed class QueryTests(NorthwindCluster shared) : IClassFixture<NorthwindCluster>
{
    private static readonly (string Theme, Query[] Queries)[] Suite =
    [
        ("filter", FilterQueries.All), ("order", OrderQueries.All), ("join", JoinQueries.All), ("group", GroupQueries.All),
            ("set", SetQueries.All),
        ("subquery", SubqueryQueries.All), ("include", IncludeQueries.All), ("owned", OwnedQueries.All), ("text", TextQueries.All),
        ("number", NumberQueries.All), ("projection", ProjectionQueries.All), ("hierarchy", HierarchyQueries.All), ("raw", RawQueries.All),
        ("compiled", CompiledQueries.All), ("failing", FailingQueries.All),
    ];

    public static TheoryData<string, int> Queries
    {
        get
        {
            var rows = new TheoryData<string, int>();
            foreach (var (theme, queries) in Suite)
                for (var i = 0; i < queries.Length; i++) rows.Add(new TheoryDataRow<string,
                    int>(theme, i) { TestDisplayName = $"{theme}: {queries[i].Text}" });
            return rows;
        }
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task A_query_gives_what_it_gives_without_Tidemark(string theme, int number)
    {
        var query = Suite.Single(s => s.Theme == theme).Queries[number];

        // Every query runs both synchronously and asynchronously, alternately with and without tracking. The way to run it and its tracking
        // do not depend on each other.
        await CompareAsync(query, QueryTrackingBehavior.TrackAll, sync: number % 2 == 0);
        await CompareAsync(query, QueryTrackingBehavior.NoTracking, sync: number % 2 != 0);
    }

    private async Task CompareAsync(Query query, QueryTrackingBehavior tracking, bool sync)
    {
        var how = $"{query.Text} ({(sync ? "sync" : "async")}, {tracking})";
        var outcomes = await Task.WhenAll(
            Task.Run(() => Outcome.OfAsync(query, sent => shared.CreatePlain(tracking, sent), sync, Stop), Stop),
            Task.Run(() => Outcome.OfAsync(query, sent => NorthwindCluster.CreateRouted(shared.Source, tracking, sent), sync, Stop), Stop));
        var (plain, routed) = (outcomes[0], outcomes[1]);
        (plain.Error is not null).ShouldBe(query.Fails, $"{how}: {plain.Error}");
        routed.ShouldBeTheSameAs(plain, how);
        ShouldRunWhereItBelongs(query, routed, tracking, how);
        if (tracking == QueryTrackingBehavior.TrackAll)
        {
            // Run again with tracked entities from replicas.
            var tracked = await Outcome.OfAsync(query, sent => NorthwindCluster.CreateRouted(shared.Tracking, tracking, sent), sync, Stop);
            tracked.ShouldBeTheSameAs(plain, how);
            foreach (var port in tracked.Ports)
                (port == shared.Cluster.Primary.Port).ShouldBe(query.IsRaw, $"{how}, tracked from replicas");
            return;
        }

        // Run again with every read on a replica proving its WAL position.
        using var session = shared.Checking.BeginSession(shared.Written);
        var proven = await Outcome.OfAsync(query, sent => NorthwindCluster.CreateRouted(shared.Checking, tracking, sent), sync, Stop);
        proven.ShouldBeTheSameAs(plain, how);
        ShouldRunWhereItBelongs(query, proven, tracking, how);
        if (!query.IsRaw && !routed.HasTracked) proven.AreChecked.ShouldBe(proven.Sql.Count > 0, how);
    }

    private void ShouldRunWhereItBelongs(Query query, Outcome outcome, QueryTrackingBehavior tracking, string how)
    {
        outcome.Ports.Distinct().Count().ShouldBeLessThan(2, how);
        foreach (var port in outcome.Ports)
        {
            var isPrimary = port == shared.Cluster.Primary.Port;
            if (query.IsRaw || outcome.HasTracked) isPrimary.ShouldBeTrue(how);
            else if (tracking == QueryTrackingBehavior.NoTracking) isPrimary.ShouldBeFalse(how);
            else if (isPrimary && !query.IsOpaque)
                outcome.HasRows.ShouldBeFalse($"{how}: nothing is tracked, so a replica could have answered");
        }
    }
}

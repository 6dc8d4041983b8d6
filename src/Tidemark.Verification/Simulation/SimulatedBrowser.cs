namespace Tidemark.Verification;

/// <summary>
/// A browser. It keeps the cookies of the responses that it received and sends them with each request to any process of the application.
/// Several requests can be in progress at once, and their responses arrive in any order. The library's own rules
/// (<see cref="CookieSlots"/>) decide which cookies a response changes.
/// </summary>
internal sealed class SimulatedBrowser(SimulatedCluster cluster, SimulatedApplication home)
{
    private const int Requests = 8;
    private const int Burst = 12;

    private readonly List<ReceivedAnswer> _received = [];
    private readonly SortedDictionary<string, string?> _jar = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _set = [];
    private long _reportedAt;

    public async Task RunAsync()
    {
        for (var i = 0; i < Requests && !cluster.IsOver && !home.IsOver; i++)
        {
            var underWay = new List<Task>();
            var parallel = cluster.Random.Next(1, 4);
            if (parallel == 3 && cluster.Chance(0.05)) parallel = Burst;
            for (; parallel > 0; parallel--) underWay.Add(RequestAsync());
            foreach (var request in underWay) await request.ConfigureAwait(false);
            await home.TravelAsync().ConfigureAwait(false);
        }
    }

    private async Task RequestAsync()
    {
        var application = cluster.Applications[cluster.Random.Next(cluster.Applications.Count)];
        var (received, sentAt) = (_received.ToArray(), cluster.Moment());
        var jar = string.Join(' ', _jar.Keys);
        var slots =
            new CookieSlots([.. _jar.Select(slot => new CookieSlot(slot.Key, slot.Value is { } text ? CausalToken.Parse(text) : null))]);
        try
        {
            await application.TravelAsync().ConfigureAwait(false);
            await application.WarmUpAsync().ConfigureAwait(false);
            var answer = await new SimulatedClient(cluster, application).RequestAsync(received, slots, _reportedAt).ConfigureAwait(false);
            var change = Change(slots, CausalToken.Parse(answer.Text), jar, application.Source.Cluster.Monitor.Snapshot.LatestTimeline);
            await application.TravelAsync().ConfigureAwait(false);

            _received.RemoveAll(received.Contains);
            _received.Add(new ReceivedAnswer(answer, sentAt, AddsNothing: change is { Set: null, Overflow: null }));
            if (answer.IsReported) _reportedAt = cluster.Moment();
            Apply(change, answer.Text);
        }
        catch (Exception e) when (e is ApplicationEndedException or ObjectDisposedException)
        {
            // No process responds. The browser retries.
        }
    }

    /// <summary>
    /// Returns the cookie change of a response. Its token also covers everything that was read, so it counts as new unless a cookie of the
    /// request covers it.
    /// </summary>
    private CookieChange Change(CookieSlots slots, CausalToken token, string jar, uint latest)
    {
        if (cluster.Has(PlantedFault.OneCookieName)) return new CookieChange(CookieSlots.Prefix + "one", []);

        // Two unknown positions are not the same: another response may delete the cookie that contains the earlier one.
        if (!token.IsUnknown && slots.Tokens.Any(brought => brought.Covers(token))) return slots.Prune();
        var set = _set[jar] = _set.GetValueOrDefault(jar) + 1;
        return slots.Replace(CookieSlots.Prefix + cluster.NextCookie(), hasWritten: true, isCrowded: set > CookieSlots.MostPerJar
            && !token.IsInDoubt, token.EarliestTimeline, latest);
    }

    private void Apply(in CookieChange change, string text)
    {
        // With this fault the last response wins, regardless of the others.
        if (cluster.Has(PlantedFault.TokenOverwrittenByOlder)) _jar.Clear();
        foreach (var name in change.Deleted) _jar.Remove(name);
        if (change.Set is { } set) _jar[set] = text;
        if (change.Overflow is { } overflow) _jar[overflow] = null;
    }
}

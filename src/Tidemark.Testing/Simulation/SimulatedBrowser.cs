namespace Tidemark.Testing;

/// <summary>
/// A browser: it keeps the tokens of the answers that it received, sends them with each request to any process of the application, and has several requests
/// under way at once. A new token stands for those that its request had brought, and for no other.
/// </summary>
internal sealed class SimulatedBrowser(SimulatedCluster cluster, SimulatedApplication home)
{
    private const int Requests = 8;

    private readonly List<GivenToken> _received = [];
    private readonly List<GivenToken> _tokens = [];

    public async Task RunAsync()
    {
        for (var i = 0; i < Requests && !cluster.IsOver && !home.IsOver; i++)
        {
            var underWay = new List<Task>();
            for (var parallel = cluster.Random.Next(1, 4); parallel > 0; parallel--) underWay.Add(RequestAsync());
            foreach (var request in underWay) await request.ConfigureAwait(false);
            await home.TravelAsync().ConfigureAwait(false);
        }
    }

    private async Task RequestAsync()
    {
        var application = cluster.Applications[cluster.Random.Next(cluster.Applications.Count)];
        var (received, sent) = (_received.ToArray(), _tokens.ToArray());
        try
        {
            await application.TravelAsync().ConfigureAwait(false);
            await application.WarmUpAsync().ConfigureAwait(false);
            var answer = await new SimulatedClient(cluster, application).RequestAsync(received, sent).ConfigureAwait(false);
            await application.TravelAsync().ConfigureAwait(false);

            _received.RemoveAll(received.Contains);
            _received.Add(answer);

            // With the fault the last answer wins, whatever the others brought.
            if (cluster.Has(PlantedFault.TokenOverwrittenByOlder)) _tokens.Clear();
            else _tokens.RemoveAll(sent.Contains);
            _tokens.Add(answer);
        }
        catch (Exception e) when (e is ApplicationEndedException or ObjectDisposedException)
        {
            // Nobody answers; the browser asks again.
        }
    }
}

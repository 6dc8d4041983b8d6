namespace Tidemark.Verification;

/// <summary>Tokens that sessions passed on and that no session has taken yet.</summary>
internal sealed class TokenMailbox
{
    private const int MaxTokens = 20;

    private readonly List<GivenToken> _given = [];

    public void Give(GivenToken token)
    {
        if (_given.Count == MaxTokens) _given.RemoveAt(0);
        _given.Add(token);
    }

    /// <summary>Returns a token for a new user, or <see langword="null"/>.</summary>
    public GivenToken? Take(SimulatedCluster cluster)
    {
        if (_given.Count == 0 || cluster.Chance(0.3)) return null;
        var index = cluster.Random.Next(_given.Count);
        var token = _given[index];
        if (cluster.Chance(0.5)) _given.RemoveAt(index);
        return token;
    }
}

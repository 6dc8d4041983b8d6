namespace Tidemark;

/// <summary>
/// Uses the candidates in turn, each as often as its weight specifies and spread as evenly as possible. Each turn adds its weight to every
/// candidate's credit. The candidate with the most credit serves, and pays the sum of all weights (nginx's smooth weighted round robin).
/// </summary>
internal sealed class RoundRobinBalancer : Balancer
{
    private readonly double[] _credit = new double[MaxNodes];
    private readonly Lock _turn = new();

    public override int Pick(ReadOnlySpan<Candidate> candidates)
    {
        lock (_turn)
        {
            var best = 0;
            var total = 0.0;
            for (var i = 0; i < candidates.Length; i++)
            {
                total += candidates[i].Weight;
                _credit[candidates[i].Index] += candidates[i].Weight;
                if (_credit[candidates[i].Index] > _credit[candidates[best].Index]) best = i;
            }

            _credit[candidates[best].Index] -= total;
            return best;
        }
    }
}

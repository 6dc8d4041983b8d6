namespace Tidemark.Verification;

/// <summary>Random delays with the distributions of networks and replicas.</summary>
internal static class Distribution
{
    public static double LogNormal(Random random, double median, double sigma) => median * Math.Exp(sigma * Normal(random));

    public static double Exponential(Random random, double mean) => -mean * Math.Log(1 - random.NextDouble());

    /// <summary>Returns seconds. See <see cref="LagProfile.Tao"/>.</summary>
    public static double Tao(Random random)
    {
        const double TailFrom = 3;
        const double Alpha = 1.34;
        var body = LogNormal(random, Math.Exp(-0.883), sigma: 0.852);
        return body < TailFrom ? body : TailFrom * Math.Pow(1 - random.NextDouble(), -1 / Alpha);
    }

    // Box and Muller 1958.
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}

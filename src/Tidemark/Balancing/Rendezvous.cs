using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>
/// Keeps an affinity key on one node by rendezvous hashing (highest random weight; Thaler and Ravishankar 1998) with bounded load (Mirrokni
/// 2018): each
/// node draws a number for the key, and the greatest serves. A node that comes or goes moves only the keys it wins or had won. Pure, the
/// same in every
/// process, and no promise: what a user must see again is up to the session's horizons.
/// </summary>
internal static class Rendezvous
{
    /// <summary>
    /// A node with more than this many times its fair share of the reads in flight leaves a key to the next in its ranking.
    /// </summary>
    public const double LoadBound = 1.25;

    /// <summary>Reads in flight up to which no node counts as loaded: of so few, the mean says nothing.</summary>
    public const int LightLoad = 4;

    private const ulong FnvBasis = 0xCBF29CE484222325;
    private const ulong FnvPrime = 0x100000001B3;

    /// <summary>The number that stands for a key; hashed once for each session.</summary>
    public static ulong Hash(ReadOnlySpan<char> key)
    {
        var hash = FnvBasis;
        foreach (var octet in MemoryMarshal.AsBytes(key)) hash = (hash ^ octet) * FnvPrime;
        return Mix(hash);
    }

    /// <summary>
    /// The number that stands for a node: of its name, which stays when nodes come and go, in any case, as names are compared.
    /// </summary>
    public static ulong Seed(string name) => Hash(name.ToUpperInvariant());

    /// <summary>The place in the list of the candidate that serves the key; the list is not empty.</summary>
    /// <param name="candidates">The nodes that may serve the read.</param>
    /// <param name="key">The hash of the affinity key.</param>
    /// <param name="seeds">The seeds of all nodes, by index.</param>
    public static int Pick(ReadOnlySpan<Candidate> candidates, ulong key, ReadOnlySpan<ulong> seeds)
    {
        var (weights, reads) = (0.0, 1.0);
        foreach (var candidate in candidates)
        {
            weights += candidate.Weight;
            reads += candidate.ReadsInFlight;
        }

        // The shares add up to more than the reads, so that at least one node is below its own.
        var (best, highest) = (0, double.NegativeInfinity);
        for (var i = 0; i < candidates.Length; i++)
        {
            var share = Math.Max(LightLoad, Math.Ceiling(LoadBound * reads * candidates[i].Weight / weights));
            if (candidates[i].ReadsInFlight >= share) continue;
            var score = Score(key, seeds[candidates[i].Index], candidates[i].Weight);
            if (score > highest) (best, highest) = (i, score);
        }

        return best;
    }

    /// <summary>What a node draws for a key. The greatest of several draws falls to each as often as its weight says.</summary>
    internal static double Score(ulong key, ulong seed, double weight)
    {
        // Strictly between 0 and 1, so that the logarithm is finite and below zero.
        var chance = ((Mix(key ^ seed) >> 11) + 0.5) * (1.0 / (1UL << 53));
        return weight / -Math.Log(chance);
    }

    // The finalizer of SplitMix64 (Steele 2014).
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

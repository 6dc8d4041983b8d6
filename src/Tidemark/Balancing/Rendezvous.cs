using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>
/// Keeps an affinity key on one node by rendezvous hashing (highest random weight; Thaler and Ravishankar 1998) with bounded load (Mirrokni
/// 2018). Each node gets a score for the key, and the node with the highest score serves it. If a node is added or removed, only the keys
/// that it wins or had won move. Pure, and identical in every process. Affinity is not a guarantee: the watermarks of the session determine
/// what a user's reads must include.
/// </summary>
internal static class Rendezvous
{
    /// <summary>
    /// A node with more than this multiple of its fair share of the reads in flight passes a key to the next node in the ranking.
    /// </summary>
    public const double LoadBound = 1.25;

    /// <summary>
    /// Number of reads in flight up to which a node never counts as loaded, because the mean of so few reads is not meaningful.
    /// </summary>
    public const int LightLoad = 4;

    private const ulong FnvBasis = 0xCBF29CE484222325;
    private const ulong FnvPrime = 0x100000001B3;

    /// <summary>Returns the hash of an affinity key. It is computed once per session.</summary>
    public static ulong Hash(ReadOnlySpan<char> key)
    {
        var hash = FnvBasis;
        foreach (var octet in MemoryMarshal.AsBytes(key)) hash = (hash ^ octet) * FnvPrime;
        return Mix(hash);
    }

    /// <summary>
    /// Returns the seed of a node: the hash of its name. The name does not change when other nodes are added or removed. Case is ignored,
    /// as in every comparison of node names.
    /// </summary>
    public static ulong Seed(string name) => Hash(name.ToUpperInvariant());

    /// <summary>Returns the index in the list of the candidate that serves the key. The list must not be empty.</summary>
    /// <param name="candidates">The nodes that can serve the read.</param>
    /// <param name="key">The hash of the affinity key.</param>
    /// <param name="seeds">The seeds of all nodes, by node index.</param>
    public static int Pick(ReadOnlySpan<Candidate> candidates, ulong key, ReadOnlySpan<ulong> seeds)
    {
        var (weights, reads) = (0.0, 1.0);
        foreach (var candidate in candidates)
        {
            weights += candidate.Weight;
            reads += candidate.ReadsInFlight;
        }

        // The shares add up to more than the number of reads, so at least one node is below its share.
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

    /// <summary>
    /// Returns the score of a node for a key. Each node has the highest score for a fraction of the keys that is proportional to its
    /// weight.
    /// </summary>
    internal static double Score(ulong key, ulong seed, double weight)
    {
        // The value is strictly between 0 and 1, so that its logarithm is finite and negative.
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

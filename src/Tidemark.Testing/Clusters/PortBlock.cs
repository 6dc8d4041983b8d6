using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Tidemark.Testing;

/// <summary>
/// A run of free loopback ports that belongs to one cluster as long as this lives. Claimed by listening on the first of them,
/// so the kernel decides between processes, and a stopped node finds its port free when it comes back. The block of a
/// cluster that is kept stands in its state, and other claims leave it alone.
/// </summary>
internal sealed class PortBlock : IDisposable
{
    /// <summary>Nodes of one cluster: the ports of a block without the one that is the claim.</summary>
    public const int MostNodes = 15;

    // Below the range from which the kernel takes ports for outgoing connections (32768 on Linux, 49152 on macOS):
    // otherwise any client could be given the port of a stopped node.
    private const int First = 20_000;
    private const int Blocks = 750;

    // Moves on and never back: pools of clients keep dead connections to the ports of a cluster that is gone.
    private static int _next = Environment.ProcessId * 7;

    private readonly TcpListener _claim;

    private PortBlock(TcpListener claim, int basePort) => (_claim, BasePort) = (claim, basePort);

    public int BasePort { get; }

    /// <summary>Claims a block in which nothing listens.</summary>
    /// <param name="kept">First ports of blocks that belong to clusters whose servers may be down.</param>
    /// <exception cref="LocalClusterException">No block is free.</exception>
    [SuppressMessage("Reliability", "CA2000", Justification = "The caller owns the block.")]
    public static PortBlock Claim(IReadOnlyCollection<int> kept)
    {
        for (var tried = 0; tried < Blocks; tried++)
        {
            var number = (uint)Interlocked.Increment(ref _next) % Blocks;
            var basePort = First + (int)number * (MostNodes + 1);
            if (!kept.Contains(basePort) && TryClaim(basePort) is { } block)
                return block;
        }

        throw new LocalClusterException($"No {MostNodes + 1} neighbouring ports are free on 127.0.0.1 between {First} and "
            + $"{First + Blocks * (MostNodes + 1)}. Other local clusters hold them: end some.");
    }

    public int PortOf(int node) => PortOf(BasePort, node);

    public static int PortOf(int basePort, int node) => basePort + 1 + node;

    /// <summary>Where the block begins that the first node of a cluster has its port from.</summary>
    public static int BaseOf(int firstPort) => firstPort - 1;

    /// <summary>Whether a block begins at a port.</summary>
    public static bool IsBase(int port) =>
        port >= First && port < First + Blocks * (MostNodes + 1) && (port - First) % (MostNodes + 1) == 0;

    public void Dispose() => _claim.Dispose();

    [SuppressMessage("Reliability", "CA2000", Justification = "The block that is returned owns its claim.")]
    private static PortBlock? TryClaim(int basePort)
    {
        if (Listen(basePort) is not { } claim)
            return null;
        for (var port = basePort + 1; port <= basePort + MostNodes; port++)
        {
            using var probe = Listen(port);
            if (probe is not null)
                continue;
            claim.Dispose();
            return null;
        }

        return new PortBlock(claim, basePort);
    }

    private static TcpListener? Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException)
        {
            listener.Dispose();
            return null;
        }
    }
}

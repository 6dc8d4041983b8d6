using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Tidemark.Testing;

/// <summary>
/// A block of consecutive loopback ports, reserved for one cluster until disposed. A process claims a block by listening on its
/// first port: the kernel decides between processes, and the port of a stopped node stays free for its next start. The block of a
/// kept cluster is recorded in its state, and later claims skip it.
/// </summary>
internal sealed class PortBlock : IDisposable
{
    /// <summary>Maximum number of nodes in a cluster: the ports of a block minus the one that is the claim.</summary>
    public const int MostNodes = 15;

    // Below the kernel's range for outgoing connections (from 32768 on Linux, from 49152 on macOS). Otherwise the kernel could assign
    // the port of a stopped node to a client.
    private const int First = 20_000;
    private const int Blocks = 750;

    // Only increases within a process: client pools keep broken connections to the ports of clusters that no longer exist.
    private static int _next = Environment.ProcessId * 7;

    private readonly TcpListener _claim;

    private PortBlock(TcpListener claim, int basePort) => (_claim, BasePort) = (claim, basePort);

    public int BasePort { get; }

    /// <summary>Claims a block on whose ports no program listens.</summary>
    /// <param name="kept">Base ports of kept clusters, whose servers may be down.</param>
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

        throw new LocalClusterException($"No block of {MostNodes + 1} consecutive ports is free on 127.0.0.1 between {First} and "
            + $"{First + Blocks * (MostNodes + 1)}. Other local clusters hold them. Stop some of them.");
    }

    public int PortOf(int node) => PortOf(BasePort, node);

    public static int PortOf(int basePort, int node) => basePort + 1 + node;

    /// <summary>Returns the base port of a block, given the port of the cluster's first node.</summary>
    public static int BaseOf(int firstPort) => firstPort - 1;

    /// <summary>Returns whether a port is the base port of a block.</summary>
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

using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// A connection of an application to a simulated server. It ends with the server's life, which is found out at the next use.
/// </summary>
/// <remarks>Behind a pooler it outlives the server's lives, and each transaction on it may run on another server of the name.</remarks>
internal sealed class SimulatedConnection(SimulatedApplication owner, int nodeIndex, SimulatedServer server, object identity, bool isPooled)
{
    private SimulatedServer _server = server;
    private int _epoch = server.Epoch;

    /// <summary>The server process behind it.</summary>
    public int Backend { get; private set; } = server.NextBackend();

    /// <summary>The node that it was opened to.</summary>
    public int NodeIndex => nodeIndex;

    /// <summary>The server that ran the last transaction.</summary>
    public SimulatedServer Server => _server;

    /// <summary>
    /// What the server goes on with after the connection was cut; <see langword="null"/>: it was not, or nothing was under way.
    /// </summary>
    public Task? Abandoned { get; private set; }

    /// <summary>What a real connection's parameters are to the library: the same for as long as the physical connection lives.</summary>
    public object Identity => identity;

    public bool IsBroken { get; private set; }

    /// <summary>The network ended it, while the server went on.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Sends something, has it done at the server, and brings the answer back.</summary>
    /// <exception cref="NpgsqlException">The connection broke, before it was done or after.</exception>
    /// <param name="atServer">What is done there; behind a pooler on whichever <see cref="Server"/> it is by then.</param>
    /// <param name="isLikelyLost">The connection is often lost meanwhile.</param>
    public async Task<T> AskAsync<T>(Func<ValueTask<T>> atServer, bool isLikelyLost = false)
    {
        await owner.TravelAsync().ConfigureAwait(false);
        if (isPooled && !IsPinned) Route();
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        var answering = RunAsync(atServer);
        if (owner.LosesConnection || (isLikelyLost && owner.LosesConnectionOften))
        {
            // The server goes on with what it was sent.
            Abandoned = owner.Leave(answering);
            Cut();
            throw new NpgsqlException("Exception while reading from stream", new IOException("The connection was reset."));
        }

        var answer = await answering.ConfigureAwait(false);
        await owner.TravelAsync().ConfigureAwait(false);
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        return answer;
    }

    /// <summary>A transaction is open on it: a pooler keeps it with its server.</summary>
    public bool IsPinned { get; set; }

    /// <summary>The network ends it now.</summary>
    public void Cut() => IsBroken = IsCut = true;

    /// <summary>Whether the server is still in the life that the connection is to.</summary>
    public bool IsAlive => _server.IsUp && _server.Epoch == _epoch;

    private void Route()
    {
        _server = owner.AnyServer(nodeIndex);
        (_epoch, Backend) = (_server.Epoch, _server.NextBackend());
    }

    private async Task<T> RunAsync<T>(Func<ValueTask<T>> atServer)
    {
        var (server, backend) = (_server, Backend);
        server.Busy.Add(backend);
        try
        {
            return await atServer().ConfigureAwait(false);
        }
        finally
        {
            server.Busy.Remove(backend);
        }
    }

    private async ValueTask ThrowIfBrokenAsync()
    {
        if (IsAlive && !_server.IsReachable)
        {
            // Nothing comes back until the network gives up.
            await owner.HangAsync().ConfigureAwait(false);
            IsBroken = true;
        }

        IsBroken |= !IsAlive;
        if (IsBroken) throw new NpgsqlException("Exception while reading from stream", new IOException("The connection was closed."));
    }

    public static NpgsqlException Refused() => new("Failed to connect", new SocketException((int)SocketError.ConnectionRefused));

    public static PostgresException TooMany() =>
        new("sorry, too many clients already", "FATAL", "FATAL", PostgresErrorCodes.TooManyConnections);

    public static NpgsqlException TimedOut() => new("Failed to connect", new TimeoutException());
}

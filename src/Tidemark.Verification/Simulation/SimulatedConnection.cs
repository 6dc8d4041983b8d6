using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// A connection of an application to a simulated server. It ends with the server's epoch, which is detected at the next use.
/// </summary>
/// <remarks>Behind a pooler it outlives epochs, and each transaction may run on another server with the same node name.</remarks>
internal sealed class SimulatedConnection(SimulatedApplication owner, int nodeIndex, SimulatedServer server, object identity, bool isPooled)
{
    private SimulatedServer _server = server;
    private int _epoch = server.Epoch;

    /// <summary>The server process that serves the connection.</summary>
    public int Backend { get; private set; } = server.NextBackend();

    /// <summary>Index of the node to which the connection was opened.</summary>
    public int NodeIndex => nodeIndex;

    /// <summary>The server that ran the last transaction.</summary>
    public SimulatedServer Server => _server;

    /// <summary>
    /// The work that the server continues after the connection was cut, or <see langword="null"/> if it was not cut or nothing was in
    /// progress.
    /// </summary>
    public Task? Abandoned { get; private set; }

    /// <summary>
    /// The object that stands for the parameters of a real connection. It stays the same as long as the physical connection is open.
    /// </summary>
    public object Identity => identity;

    public bool IsBroken { get; private set; }

    /// <summary>Whether the network ended the connection while the server continued.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Sends a request, runs it on the server, and returns the result.</summary>
    /// <exception cref="NpgsqlException">The connection broke, before or after the request was executed.</exception>
    /// <param name="atServer">The work on the server. Behind a pooler, it runs on the current <see cref="Server"/>.</param>
    /// <param name="isLikelyLost">Whether the connection is often lost during the request.</param>
    public async Task<T> QueryAsync<T>(Func<ValueTask<T>> atServer, bool isLikelyLost = false)
    {
        await owner.TravelAsync().ConfigureAwait(false);
        if (isPooled && !IsPinned) Route();
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        var answering = RunAsync(atServer);
        if (owner.LosesConnection || (isLikelyLost && owner.LosesConnectionOften))
        {
            // The server continues with the request.
            Abandoned = owner.Leave(answering);
            Cut();
            throw new NpgsqlException("Exception while reading from stream", new IOException("The connection was reset."));
        }

        var answer = await answering.ConfigureAwait(false);
        await owner.TravelAsync().ConfigureAwait(false);
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        return answer;
    }

    /// <summary>Whether a transaction is open on the connection, so that a pooler keeps it on its server.</summary>
    public bool IsPinned { get; set; }

    /// <summary>Lets the network end the connection now.</summary>
    public void Cut() => IsBroken = IsCut = true;

    /// <summary>Whether the server is still in the epoch to which the connection belongs.</summary>
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
            // Nothing is received until the network times out.
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

using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Testing;

/// <summary>A connection of an application to a simulated server. It ends with the server's life, which is found out at the next use.</summary>
internal sealed class SimulatedConnection(SimulatedApplication owner, int nodeIndex, SimulatedServer server, object identity)
{
    private readonly int _life = server.Life;

    /// <summary>The server process behind it.</summary>
    public int Backend { get; } = server.NextBackend();

    /// <summary>The node that it was opened to.</summary>
    public int NodeIndex => nodeIndex;

    public SimulatedServer Server => server;

    /// <summary>What a real connection's parameters are to the library: the same for as long as the physical connection lives.</summary>
    public object Identity => identity;

    public bool IsBroken { get; private set; }

    /// <summary>The network ended it, while the server went on.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Sends something, has it done at the server, and brings the answer back.</summary>
    /// <exception cref="NpgsqlException">The connection broke, before it was done or after.</exception>
    public async Task<T> AskAsync<T>(Func<ValueTask<T>> atServer)
    {
        await owner.TravelAsync().ConfigureAwait(false);
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        var answering = RunAsync(atServer);
        if (owner.LosesConnection)
        {
            // The server goes on with what it was sent.
            owner.Leave(answering);
            IsBroken = IsCut = true;
            throw new NpgsqlException("Exception while reading from stream", new IOException("The connection was reset."));
        }

        var answer = await answering.ConfigureAwait(false);
        await owner.TravelAsync().ConfigureAwait(false);
        await ThrowIfBrokenAsync().ConfigureAwait(false);
        return answer;
    }

    /// <summary>Whether the server is still in the life that the connection is to.</summary>
    public bool IsAlive => server.IsUp && server.Life == _life;

    private async Task<T> RunAsync<T>(Func<ValueTask<T>> atServer)
    {
        server.Busy.Add(Backend);
        try
        {
            return await atServer().ConfigureAwait(false);
        }
        finally
        {
            server.Busy.Remove(Backend);
        }
    }

    private async ValueTask ThrowIfBrokenAsync()
    {
        if (IsAlive && !server.IsReachable)
        {
            // Nothing comes back until the network gives up.
            await owner.HangAsync().ConfigureAwait(false);
            IsBroken = true;
        }

        IsBroken |= !IsAlive;
        if (IsBroken) throw new NpgsqlException("Exception while reading from stream", new IOException("The connection was closed."));
    }

    public static NpgsqlException Refused() => new("Failed to connect", new SocketException((int)SocketError.ConnectionRefused));

    public static PostgresException TooMany() => new("sorry, too many clients already", "FATAL", "FATAL", PostgresErrorCodes.TooManyConnections);

    public static NpgsqlException TimedOut() => new("Failed to connect", new TimeoutException());
}

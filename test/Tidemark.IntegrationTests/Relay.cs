using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// Stands between a client and a server and counts round trips on the wire: each time the client speaks after the server has. The monitor's connections,
/// known by their application name, pass uncounted.
/// </summary>
internal sealed class Relay : IAsyncDisposable
{
#pragma warning disable CA2213 // Stop() disposes of it.
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
#pragma warning restore CA2213
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private readonly Task _accepting;
    private int _roundTrips;

    public Relay(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int RoundTrips => Volatile.Read(ref _roundTrips);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true) connections.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                client.NoDelay = server.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                var conversation = new Conversation(this);
                await Task.WhenAny(
                    PumpAsync(client.GetStream(), server.GetStream(), conversation.ClientSpoke),
                    PumpAsync(server.GetStream(), client.GetStream(), _ => conversation.ServerSpoke()));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                // One side has hung up.
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, Action<ReadOnlyMemory<byte>> note)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var read)
            {
                note(buffer.AsMemory(0, read));
                await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has hung up.
        }
    }

    private sealed class Conversation(Relay relay)
    {
        private int _serverSpokeLast = 1;
        private bool _isCounted = true;
        private bool _hasBegun;

        public void ClientSpoke(ReadOnlyMemory<byte> bytes)
        {
            if (!_hasBegun) _isCounted = !Encoding.UTF8.GetString(bytes.Span).Contains("tidemark monitor", StringComparison.Ordinal);
            _hasBegun = true;
            if (Interlocked.Exchange(ref _serverSpokeLast, 0) == 1 && _isCounted) Interlocked.Increment(ref relay._roundTrips);
        }

        public void ServerSpoke() => Volatile.Write(ref _serverSpokeLast, 1);
    }
}

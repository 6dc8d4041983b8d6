using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// A relay between a client and a server that counts round trips on the wire: each time the client sends after the server has sent. Does
/// not count the monitor's connections, which it identifies by their application name.
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

    /// <summary>
    /// Text in a request whose answer is dropped and whose connection then ends, or <see langword="null"/> to drop nothing. Applies to one
    /// answer.
    /// </summary>
    public string? LosesAnswerTo { get; set; }

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
                    PumpAsync(server.GetStream(), client.GetStream(), conversation.ServerSpoke));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                // One side closed the connection.
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, Func<ReadOnlyMemory<byte>, bool> note)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var read)
            {
                if (!note(buffer.AsMemory(0, read))) return;
                await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side closed the connection.
        }
    }

    private sealed class Conversation(Relay relay)
    {
        private int _serverSpokeLast = 1;
        private bool _isCounted = true;
        private bool _hasBegun;

        private volatile bool _losesAnswer;

        /// <summary>Returns <see langword="false"/> to end the connection in both directions.</summary>
        public bool ClientSpoke(ReadOnlyMemory<byte> bytes)
        {
            var text = Encoding.UTF8.GetString(bytes.Span);
            if (!_hasBegun) _isCounted = !text.Contains("tidemark monitor", StringComparison.Ordinal);
            if (relay.LosesAnswerTo is { } lost && text.Contains(lost, StringComparison.Ordinal))
            {
                relay.LosesAnswerTo = null;
                _losesAnswer = true;
            }

            _hasBegun = true;
            if (Interlocked.Exchange(ref _serverSpokeLast, 0) == 1 && _isCounted) Interlocked.Increment(ref relay._roundTrips);
            return true;
        }

        public bool ServerSpoke(ReadOnlyMemory<byte> bytes)
        {
            Volatile.Write(ref _serverSpokeLast, 1);
            return !_losesAnswer;
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace Tidemark;

/// <summary>
/// One address whose connections go to several servers in turn, as with a Kubernetes service, a reader endpoint or HAProxy.
/// </summary>
internal sealed class TwoServerName : IAsyncDisposable
{
#pragma warning disable CA2213 // Stop() disposes of it.
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
#pragma warning restore CA2213
    private readonly CancellationTokenSource _stop = new();
    private readonly int[] _ports;
    private readonly Task _accepting;

    public TwoServerName(params int[] ports)
    {
        _ports = ports;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

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
            for (var next =
                0; ; next++) connections.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token), _ports[next % _ports.Length]));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task PassAsync(TcpClient client, int port)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                client.NoDelay = server.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
                await Task.WhenAny(
                    client.GetStream().CopyToAsync(server.GetStream(), _stop.Token), server.GetStream()
                        .CopyToAsync(client.GetStream(), _stop.Token));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                // One side closed the connection.
            }
        }
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Tidemark.Matrix;

/// <summary>
/// One address in front of several servers, like a Kubernetes service, a reader endpoint or HAProxy in TCP mode. Each new connection goes
/// to the next server in turn. Servers that refuse connections are skipped.
/// </summary>
internal sealed class TcpBalancer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<TcpClient, byte> _open = new();
    private readonly Task _accepting;
    private volatile int[] _servers;
    private int _turn = -1;

    /// <summary>Listens on a loopback port.</summary>
    /// <param name="servers">The ports of the servers, at least one.</param>
    public TcpBalancer(params IEnumerable<int> servers)
    {
        _servers = [.. servers];
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Directs new connections to other servers. Open connections stay on their servers.</summary>
    public void Direct(params IEnumerable<int> servers) => _servers = [.. servers];

    /// <summary>Cuts all open connections.</summary>
    public void CutConnections()
    {
        foreach (var client in _open.Keys) client.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        CutConnections();
        await _accepting;
        _listener.Dispose();
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
        using (client)
        {
            _open.TryAdd(client, 0);
            try
            {
                using var server = await ConnectAsync();
                client.NoDelay = server.NoDelay = true;
                var (up, down) = (client.GetStream(), server.GetStream());
                await Task.WhenAny(up.CopyToAsync(down, _stop.Token), down.CopyToAsync(up, _stop.Token));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or InvalidOperationException)
            {
                // One side closed the connection, or no server accepts.
            }
            finally
            {
                _open.TryRemove(client, out _);
            }
        }
    }

    private async Task<TcpClient> ConnectAsync()
    {
        var servers = _servers;
        for (var attempt = 1; ; attempt++)
        {
            var server = new TcpClient();
            try
            {
                var next = servers[(uint)Interlocked.Increment(ref _turn) % (uint)servers.Length];
                await server.ConnectAsync(IPAddress.Loopback, next, _stop.Token);
                return server;
            }
            catch (SocketException) when (attempt < servers.Length)
            {
                server.Dispose();
            }
            catch
            {
                server.Dispose();
                throw;
            }
        }
    }
}

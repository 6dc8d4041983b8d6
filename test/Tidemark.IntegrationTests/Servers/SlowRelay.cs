using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Tidemark;

/// <summary>
/// A relay between a client and a server. Passes bytes on with a delay in each direction. While closed, it accepts connections and sends
/// nothing.
/// </summary>
internal sealed class SlowRelay : IAsyncDisposable
{
#pragma warning disable CA2213 // Stop() disposes of it.
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
#pragma warning restore CA2213
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _target;
    private readonly TimeSpan _delay;
    private readonly Task _accepting;
    private int _accepted;

    /// <param name="target">The port of the server.</param>
    /// <param name="delay">The delay in each direction.</param>
    /// <param name="isClosed">Whether it sends nothing until <see cref="Open"/>.</param>
    public SlowRelay(int target, TimeSpan delay = default, bool isClosed = false)
    {
        (_target, _delay) = (target, delay);
        if (!isClosed) _opened.SetResult();
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The number of connections so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Passes bytes on from now on, also for connections that were accepted before.</summary>
    public void Open() => _opened.TrySetResult();

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
            while (true)
            {
                connections.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
                Interlocked.Increment(ref _accepted);
            }
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
                await _opened.Task.WaitAsync(_stop.Token);
                client.NoDelay = server.NoDelay = true;

                // The round trip of the SYN and its answer.
                await Task.Delay(2 * _delay, TimeProvider.System, _stop.Token);
                await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                await Task.WhenAny(PumpAsync(client.GetStream(), server.GetStream()), PumpAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                // One side closed the connection.
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to)
    {
        var way = Channel.CreateUnbounded<(byte[] Bytes, long ReadAt)>();
        var writing = WriteAsync(way.Reader, to);
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var read)
                way.Writer.TryWrite((buffer[..read], TimeProvider.System.GetTimestamp()));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side closed the connection.
        }

        way.Writer.Complete();
        await writing;
    }

    private async Task WriteAsync(ChannelReader<(byte[] Bytes, long ReadAt)> way, NetworkStream to)
    {
        try
        {
            await foreach (var (bytes, readAt) in way.ReadAllAsync(_stop.Token))
            {
                var left = _delay - TimeProvider.System.GetElapsedTime(readAt);
                if (left > TimeSpan.Zero) await Task.Delay(left, TimeProvider.System, _stop.Token);
                await to.WriteAsync(bytes, _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side closed the connection.
        }
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// A relay between a client and a server. Once armed, it ends the next connection that sends a position query, exactly between the
/// acknowledgement of the write with its ReadyForQuery and the answer to the query.
/// </summary>
internal sealed class CuttingRelay : IAsyncDisposable
{
#pragma warning disable CA2213 // Stop() disposes of it.
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
#pragma warning restore CA2213
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private readonly Task _accepting;
    private int _armed;

    public CuttingRelay(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Whether no connection was ended since <see cref="Arm"/>.</summary>
    public bool IsArmed => Volatile.Read(ref _armed) != 0;

    /// <param name="withError">
    /// Whether the server's FATAL 57P01 arrives before the end, as in a fast stop. If <see langword="false"/>, nothing arrives.
    /// </param>
    public void Arm(bool withError) => Volatile.Write(ref _armed, withError ? 1 : 2);

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
                var cut = new Cut();
                var (asked, answered) = (client.GetStream(), server.GetStream());
                await Task.WhenAny(QueryAsync(asked, answered, cut), AnswerAsync(answered, asked, cut));
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                // One side closed the connection.
            }
        }
    }

    private async Task QueryAsync(NetworkStream client, NetworkStream server, Cut cut)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await client.ReadAsync(buffer, _stop.Token) is > 0 and var read)
            {
                var asks = Encoding.Latin1.GetString(buffer, 0, read).Contains("tidemark_timeline", StringComparison.Ordinal);
                if (asks && Interlocked.Exchange(ref _armed, 0) is > 0 and var kind)
                    cut.Begin(Kinds(buffer.AsSpan(0, read)).Count(k => k is 'S' or 'Q') - 1, withError: kind == 1);
                await server.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side closed the connection.
        }
    }

    private async Task AnswerAsync(NetworkStream server, NetworkStream client, Cut cut)
    {
        var buffer = new byte[64 * 1024];
        var held = new List<byte>();
        try
        {
            while (await server.ReadAsync(buffer, _stop.Token) is > 0 and var read)
            {
                if (!cut.IsUnderWay)
                {
                    await client.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                    continue;
                }

                held.AddRange(buffer[..read]);
                if (cut.EndIn(held.ToArray()) is not { } end) continue;
                await client.WriteAsync(held.ToArray().AsMemory(0, end), _stop.Token);
                if (cut.WithError) await client.WriteAsync(Fatal(), _stop.Token);
                return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // One side closed the connection.
        }
    }

    private static List<char> Kinds(ReadOnlySpan<byte> messages)
    {
        var kinds = new List<char>();
        while (messages.Length >= 5)
        {
            kinds.Add((char)messages[0]);
            messages = messages[Math.Min(messages.Length, BinaryPrimitives.ReadInt32BigEndian(messages[1..]) + 1)..];
        }

        return kinds;
    }

    private static byte[] Fatal()
    {
        var body = Encoding.ASCII.GetBytes("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0");
        var message = new byte[body.Length + 5];
        message[0] = (byte)'E';
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), body.Length + 4);
        body.CopyTo(message.AsSpan(5));
        return message;
    }

    private sealed class Cut
    {
        private volatile int _left;

        public bool WithError { get; private set; }

        public bool IsUnderWay => _left > 0;

        public void Begin(int answers, bool withError)
        {
            WithError = withError;
            _left = answers;
        }

        /// <summary>The end of the last ReadyForQuery to pass on, or <see langword="null"/> if it has not arrived yet.</summary>
        public int? EndIn(ReadOnlySpan<byte> messages)
        {
            var (at, seen) = (0, 0);
            while (messages.Length - at >= 5)
            {
                var next = at + 1 + BinaryPrimitives.ReadInt32BigEndian(messages[(at + 1)..]);
                if (next > messages.Length) return null;
                if (messages[at] == 'Z' && ++seen == _left) return next;
                at = next;
            }

            return null;
        }
    }
}

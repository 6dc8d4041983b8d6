using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// Greets like a PostgreSQL server and hangs up at the first statement, as one that crashes does: for what happens around a connection,
/// not for what is said on it.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, port: 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly bool _isStandby;
    private readonly Task _loop;

    public FakeServer(bool isStandby = false)
    {
        _isStandby = isStandby;
        _listener.Start();
        _loop = ServeAsync();
    }

    public string ConnectionString =>
        $"Host=127.0.0.1;Port={((IPEndPoint)_listener.LocalEndpoint).Port};Username=u;Database=d;Pooling=false;SSL Mode=Disable;" +
        "GSS Encryption Mode=Disable;Server Compatibility Mode=NoTypeLoading";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _loop;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await GreetAsync(client.GetStream());
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
            {
            }
        }
    }

    private async Task GreetAsync(NetworkStream stream)
    {
        var buffer = new byte[4096];
        await stream.ReadExactlyAsync(buffer.AsMemory(0, 4), _stop.Token);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, BinaryPrimitives.ReadInt32BigEndian(buffer) - 4), _stop.Token);

        byte[] greeting =
        [
            .. Message('R', new byte[4]),
            .. Setting("server_version", "18.0"),
            .. Setting("client_encoding", "UTF8"),
            .. Setting("standard_conforming_strings", "on"),
            .. Setting("in_hot_standby", _isStandby ? "on" : "off"),
            .. Message('K', new byte[8]),
            .. Message('Z', "I"u8),
        ];
        await stream.WriteAsync(greeting, _stop.Token);
        await stream.ReadAtLeastAsync(buffer, 1, throwOnEndOfStream: false, _stop.Token);
    }

    private static byte[] Setting(string name, string value) => Message('S', Encoding.ASCII.GetBytes($"{name}\0{value}\0"));

    private static byte[] Message(char kind, ReadOnlySpan<byte> body)
    {
        var message = new byte[body.Length + 5];
        message[0] = (byte)kind;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), body.Length + 4);
        body.CopyTo(message.AsSpan(5));
        return message;
    }
}

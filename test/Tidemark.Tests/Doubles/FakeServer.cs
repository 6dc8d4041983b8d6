using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// Greets like a PostgreSQL server. Hangs up at the first statement, as one that crashes does, unless it is given answers: for what happens
/// around a connection and in what order, not for what PostgreSQL does.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, port: 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _received = new();
    private readonly bool _isStandby;
    private readonly Func<string, FakeAnswer>? _answer;
    private readonly Task _loop;

    /// <param name="isStandby">It greets as a standby.</param>
    /// <param name="answer">What it answers to the text of a statement; <see langword="null"/>: it hangs up.</param>
    public FakeServer(bool isStandby = false, Func<string, FakeAnswer>? answer = null)
    {
        _isStandby = isStandby;
        _answer = answer;
        _listener.Start();
        _loop = ServeAsync();
    }

    public string ConnectionString =>
        $"Host=127.0.0.1;Port={((IPEndPoint)_listener.LocalEndpoint).Port};Username=u;Database=d;Pooling=false;SSL Mode=Disable;" +
        "GSS Encryption Mode=Disable;Server Compatibility Mode=NoTypeLoading";

    /// <summary>The texts of the statements in the order of their arrival; "Sync" where the client ended a round trip.</summary>
    public IReadOnlyCollection<string> Received => _received;

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
        if (_answer is null) await stream.ReadAtLeastAsync(buffer, 1, throwOnEndOfStream: false, _stop.Token);
        else await AnswerAsync(stream, _answer);
    }

    // The extended protocol with unnamed statements, and the simple one. After an error everything is skipped until Sync.
    private async Task AnswerAsync(NetworkStream stream, Func<string, FakeAnswer> answer)
    {
        var (text, isSkipping) = ("", false);
        var head = new byte[5];
        while (true)
        {
            await stream.ReadExactlyAsync(head, _stop.Token);
            var body = new byte[BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1)) - 4];
            await stream.ReadExactlyAsync(body, _stop.Token);
            var kind = (char)head[0];
            if (kind == 'X') return;
            if (kind == 'S') isSkipping = false;
            if (kind == 'S') _received.Enqueue("Sync");
            if (kind == 'Q' || (kind == 'P' && !isSkipping))
                _received.Enqueue(text = TextAt(body, kind == 'Q' ? 0 : Array.IndexOf(body, (byte)0) + 1));

            byte[] reply = kind switch
            {
                'S' => Message('Z', "I"u8),
                'Q' when answer(text).SqlState is { } code => [.. Error(code), .. Message('Z', "I"u8)],
                'Q' => [.. Description(answer(text), format: 0), .. Result(answer(text)), .. Message('Z', "I"u8)],
                _ when isSkipping => [],
                'P' when answer(text).SqlState is { } code => Error(code),
                'P' => Message('1', []),
                'B' => Message('2', []),
                'D' when body[0] == 'S' => [.. Message('t', new byte[2]), .. Description(answer(text), format: 1)],
                'D' => Description(answer(text), format: 1),
                'E' => Result(answer(text)),
                _ => [],
            };
            isSkipping |= kind == 'P' && answer(text).SqlState is not null;
            await stream.WriteAsync(reply, _stop.Token);
        }
    }

    private static string TextAt(byte[] body, int start) =>
        Encoding.UTF8.GetString(body.AsSpan(start, Array.IndexOf(body, (byte)0, start) - start));

    private static byte[] Description(FakeAnswer answer, short format)
    {
        if (answer.Columns.Count == 0) return Message('n', []);
        byte[] body = [.. Short(answer.Columns.Count)];
        foreach (var (name, type, _) in answer.Columns)
            body = [.. body, .. Encoding.ASCII.GetBytes($"{name}\0"), .. new byte[6], .. Long(type), .. Short(-1), .. Long(uint.MaxValue),
                .. Short(format)];
        return Message('T', body);
    }

    private static byte[] Result(FakeAnswer answer)
    {
        byte[] row = [.. Short(answer.Columns.Count)];
        foreach (var (_, _, value) in answer.Columns)
            row = value is null ? [.. row, .. Long(uint.MaxValue)] : [.. row, .. Long((uint)value.Length), .. value];
        return [.. answer.Columns.Count == 0 ? [] : Message('D', row), .. Message('C', Encoding.ASCII.GetBytes($"{answer.Tag}\0"))];
    }

    private static byte[] Error(string code) => Message('E', Encoding.ASCII.GetBytes($"SERROR\0VERROR\0C{code}\0Mno\0\0"));

    private static byte[] Short(int number) => [(byte)(number >> 8), (byte)number];

    private static byte[] Long(uint number) => [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

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

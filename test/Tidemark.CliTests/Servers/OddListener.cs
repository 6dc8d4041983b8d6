using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidemark;

/// <summary>
/// A listener that is not PostgreSQL: it accepts connections and then sends nothing, or the same response to all clients.
/// </summary>
internal sealed class OddListener : IAsyncDisposable
{
#pragma warning disable CA2213 // Stop() disposes it.
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
#pragma warning restore CA2213
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _answering;

    public OddListener(string? answer)
    {
        _listener.Start();
        _answering = AnswerAsync(answer);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Username=store;Database=store;Password=correct-horse";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _answering;
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task AnswerAsync(string? answer)
    {
        try
        {
            while (answer is not null)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await AnswerAsync(client.GetStream(), answer);
            }
        }
        catch (OperationCanceledException)
        {
            // The test has ended.
        }
    }

    private async Task AnswerAsync(NetworkStream client, string answer)
    {
        try
        {
            await client.ReadAtLeastAsync(new byte[8], 8, cancellationToken: _stop.Token);
            await client.WriteAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);

            // Closing the socket with unread data would send a reset, and the client would lose the response.
            if (answer.Length > 0) await client.CopyToAsync(Stream.Null, _stop.Token);
        }
        catch (IOException)
        {
            // The client closed the connection.
        }
    }
}

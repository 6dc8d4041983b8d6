using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Testing;

/// <summary>
/// The server of one node: started, stopped, killed, told to read its settings, asked. Knows nothing of replication.
/// </summary>
internal sealed class NodeServer(LocalCluster cluster, string name, NodeFolder folder)
{
    public const int QuotedLogLines = 20;

    private ServerProcess? _process;

    public int Port { get; set; }

    public int? ProcessId => IsRunning ? _process?.Id : null;

    public bool IsRunning => _process is { IsRunning: true };

    public void Launch()
    {
        _process?.Dispose();
        folder.ForgetGoneServer();
        _process = cluster.Launch(folder);
    }

    /// <summary>Finds the server that another process started.</summary>
    public void Find() => _process = ServerProcess.Find(folder);

    public Task WaitUntilAcceptingAsync(CancellationToken cancellationToken)
    {
        var started = _process!;
        return WaitAsync("accept connections", () => !started.IsRunning
            ? throw new LocalClusterException(WhyItEnded())
            : ValueTask.FromResult(folder.IsAccepting(started.Id)), cancellationToken);
    }

    public async Task StopAsync(StopMode mode, CancellationToken cancellationToken)
    {
        if (_process is null)
            return;
        await _process.SignalAsync(mode == StopMode.Fast ? "INT" : "QUIT").ConfigureAwait(false);
        await WaitUntilGoneAsync($"stop ({mode})", cancellationToken).ConfigureAwait(false);
    }

    public async Task KillAsync(CancellationToken cancellationToken)
    {
        if (!IsRunning)
            return;
        await _process!.KillAsync().ConfigureAwait(false);
        await WaitUntilGoneAsync("end after SIGKILL", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets the server read its settings again, and returns when all its processes have been told.</summary>
    public async Task ReloadAsync(CancellationToken cancellationToken)
    {
        // The postmaster reads the file, then tells its children, then accepts the next connection. So a new connection
        // that knows a newer load time proves that replay has been told.
        const string loaded = "SELECT pg_conf_load_time()";
        var before = await AskAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false);
        await _process!.SignalAsync("HUP").ConfigureAwait(false);
        await WaitAsync("read its settings again", async () =>
            await AskAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false) != before, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>One value of one statement, on a connection of its own, so that nothing of it stays open on the server.</summary>
    [SuppressMessage("Security", "CA2100", Justification = "All statements are in this package; the names in them are its own.")]
    public async Task<T> AskAsync<T>(string sql, CancellationToken cancellationToken)
    {
        var connection = Connection();
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            using var command = new NpgsqlCommand(sql, connection);
            var answer = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
            return answer is null or DBNull ? default! : (T)answer;
        }
    }

    public NpgsqlConnection Connection() =>
        new(NodeAddress.ConnectionString("postgres", Port) + ";Pooling=false;Application Name=tidemark-cluster");

    /// <summary>Polls until the answer is yes.</summary>
    /// <param name="what">What is waited for, after the words "did not".</param>
    /// <param name="isDone">Asks.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task WaitAsync(string what, Func<ValueTask<bool>> isDone, CancellationToken cancellationToken)
    {
        var options = cluster.Options;
        if (!await Poll.UntilAsync(isDone, options.Timeout, options.TimeProvider, cancellationToken).ConfigureAwait(false))
            throw TooLate(what);
    }

    public string QuoteLog() => $"Last lines of {folder.Log}:\n  "
        + string.Join("\n  ", folder.ReadLog(QuotedLogLines, _process?.LogOffset ?? 0).DefaultIfEmpty("(empty)"));

    /// <summary>Lets go of the server, which the watchdog has stopped, or which goes on without us.</summary>
    public async Task EndAsync(bool goesOn)
    {
        if (_process is null)
            return;
        if (!goesOn)
        {
            // The watchdog knows servers by their postmaster.pid. One that was only just starting had none, and now has lost its folder.
            await _process.SignalAsync("QUIT").ConfigureAwait(false);
            await _process.WaitUntilGoneAsync(Timeout.InfiniteTimeSpan, cluster.Options.TimeProvider, CancellationToken.None)
                .ConfigureAwait(false);
        }

        _process.Dispose();
    }

    /// <summary>Sees that nobody else has the port of the node, which is down.</summary>
    /// <exception cref="LocalClusterException">Somebody has.</exception>
    public void RefuseTakenPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, Port);
        try
        {
            listener.Start();
        }
        catch (SocketException e)
        {
            throw new LocalClusterException($"Another program listens on port {Port}, which is {name}'s own. End that program first.", e);
        }
    }

    private string WhyItEnded()
    {
        var log = QuoteLog();
        var port = log.Contains("Address already in use", StringComparison.Ordinal)
            ? $"Another program listens on port {Port}, which is the node's own. End that program, and start the node again.\n"
            : "";
        return $"{name} ended while it started.\n{port}{log}";
    }

    private async Task WaitUntilGoneAsync(string what, CancellationToken cancellationToken)
    {
        var options = cluster.Options;
        if (!await _process!.WaitUntilGoneAsync(options.Timeout, options.TimeProvider, cancellationToken).ConfigureAwait(false))
            throw TooLate(what);
    }

    private LocalClusterException TooLate(string what) =>
        new($"{name} did not {what} within {cluster.Options.Timeout.TotalSeconds} s (LocalClusterOptions.Timeout).\n{QuoteLog()}");
}

using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Testing;

/// <summary>
/// Starts, stops, kills, reloads and queries the server of one node. Does not depend on replication.
/// </summary>
internal sealed class NodeServer(LocalClusterOptions options, string name, NodeFolder folder, Func<NodeFolder, ServerProcess> launch)
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
        _process = launch(folder);
    }

    /// <summary>Finds a server that another process started.</summary>
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

    /// <summary>Reloads the server's settings. Returns when all its processes have been signalled.</summary>
    public async Task ReloadAsync(CancellationToken cancellationToken)
    {
        // The postmaster reads the file, then signals its children, then accepts the next connection. A new connection that reports a
        // newer load time therefore proves that the replay process has been signalled.
        const string loaded = "SELECT pg_conf_load_time()";
        var before = await QueryAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false);
        await _process!.SignalAsync("HUP").ConfigureAwait(false);
        await WaitAsync("reload its settings", async () =>
            await QueryAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false) != before, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Executes a statement on a connection of its own, which is then closed, and returns the first value.</summary>
    [SuppressMessage("Security", "CA2100", Justification = "All statements are in this package; the names in them are its own.")]
    public async Task<T> QueryAsync<T>(string sql, CancellationToken cancellationToken)
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

    /// <summary>Polls until a condition is true.</summary>
    /// <param name="what">The expected action, worded to follow "did not" in the error message.</param>
    /// <param name="isDone">Evaluates the condition.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitAsync(string what, Func<ValueTask<bool>> isDone, CancellationToken cancellationToken)
    {
        if (!await Poll.UntilAsync(isDone, options.Timeout, options.TimeProvider, cancellationToken).ConfigureAwait(false))
            throw TooLate(what);
    }

    public string QuoteLog() => $"Last lines of {folder.Log}:\n  "
        + string.Join("\n  ", folder.ReadLog(QuotedLogLines, _process?.LogOffset ?? 0).DefaultIfEmpty("(empty)"));

    /// <summary>Releases the server, which either keeps running or was stopped by the watchdog.</summary>
    public async Task EndAsync(bool keepRunning)
    {
        if (_process is null)
            return;
        if (!keepRunning)
        {
            // The watchdog finds servers by their postmaster.pid. A server that had just started had no such file yet, and still runs.
            await _process.SignalAsync("QUIT").ConfigureAwait(false);
            await _process.WaitUntilGoneAsync(Timeout.InfiniteTimeSpan, options.TimeProvider, CancellationToken.None)
                .ConfigureAwait(false);
        }

        _process.Dispose();
    }

    /// <summary>Checks that no other program listens on the port of the node, which must be down.</summary>
    /// <exception cref="LocalClusterException">Another program listens on the port.</exception>
    public void RefuseTakenPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, Port);
        try
        {
            listener.Start();
        }
        catch (SocketException e)
        {
            throw new LocalClusterException(
                $"Another program listens on port {Port}, which is reserved for {name}. Stop that program first.", e);
        }
    }

    private string WhyItEnded()
    {
        var log = QuoteLog();
        var port = log.Contains("Address already in use", StringComparison.Ordinal)
            ? $"Another program listens on port {Port}, which is reserved for {name}. Stop that program, and start the node again.\n"
            : "";
        return $"{name} ended during its start.\n{port}{log}";
    }

    private async Task WaitUntilGoneAsync(string what, CancellationToken cancellationToken)
    {
        if (!await _process!.WaitUntilGoneAsync(options.Timeout, options.TimeProvider, cancellationToken).ConfigureAwait(false))
            throw TooLate(what);
    }

    private LocalClusterException TooLate(string what) =>
        new($"{name} did not {what} within {options.Timeout.TotalSeconds} s (LocalClusterOptions.Timeout).\n{QuoteLog()}");
}

using Npgsql;

namespace Tidemark;

/// <summary>The data sources of one node: one pool that reads, one that writes, and one connection for the monitor.</summary>
internal sealed class NodePools : IAsyncDisposable, IDisposable
{
    // Whole seconds: what the driver takes.
    private const int MaxConnectSeconds = 5;
    private static readonly TimeSpan MaxWaitForProbe = TimeSpan.FromMilliseconds(500);
    // A standby refuses serializable transactions, the time-outs are those of the application's statements, and a function of the user's
    // own may hide
    // one that a probe calls. Start-up options override what the server, the database and the role set; later ones override earlier ones.
    private const string ProbeSettings =
        @"-c default_transaction_isolation=read\ committed -c default_transaction_deferrable=off -c search_path=pg_catalog"
        + " -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0";

    public NodePools(string name, NodeOptions options, ClusterSettings cluster, bool isAlone)
    {
        Name = name;
        Writes = Build($"{name}/writes", cluster, ForWriting(Settings(options)));

        // With one node there is nothing to keep apart: reads share the pool, and the node costs no more connections than without Tidemark.
        Reads = isAlone ? Writes : Build($"{name}/reads", cluster, ForReading(Settings(options)));

        var timeout = cluster.Options.ProbeTimeout;
        var probing = ForProbing(Settings(options), timeout, isAlone);
        var maintenance = new NpgsqlConnectionStringBuilder(probing.ConnectionString) { Database = "postgres" };
#pragma warning disable CA2000 // The thread disposes of it.
        var probe = new NodeProbe(
            Build($"{name}/monitor", cluster, probing), Build($"{name}/monitor", cluster, maintenance), probing.ConnectionString,
                cluster.TimeProvider, timeout / 2);
#pragma warning restore CA2000
        Probe = new ProbeThread(name, probe, new ProbeDeadline(cluster.TimeProvider, timeout, TimeSpan.FromSeconds(probing.Timeout)),
            cluster.TimeProvider);
    }

    public string Name { get; }

    public NpgsqlDataSource Reads { get; }

    public NpgsqlDataSource Writes { get; }

    public ProbeThread Probe { get; }

    /// <summary>Drops idle connections: they led to a life of the server that is over.</summary>
    public void Clear()
    {
        Reads.Clear();
        Writes.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        // A probe that hangs is not waited for: its thread closes the connection once it has timed out.
        await Task.WhenAny(Probe.Stop(), Task.Delay(MaxWaitForProbe, TimeProvider.System)).ConfigureAwait(false);
        await Reads.DisposeAsync().ConfigureAwait(false);
        await Writes.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Closes the pools at once; the thread that probes closes its connection by itself, for which nothing waits.</summary>
    public void Dispose()
    {
        _ = Probe.Stop();
        Reads.Dispose();
        Writes.Dispose();
    }

    private static NpgsqlDataSource Build(string name, ClusterSettings cluster, NpgsqlConnectionStringBuilder settings)
    {
        var source = new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = name };
        if (cluster.LoggerFactory is { } loggers) source.UseLoggerFactory(loggers);
        cluster.ConfigureNode?.Invoke(source);
        return source.Build();
    }

    private static NpgsqlConnectionStringBuilder Settings(NodeOptions options)
    {
        var settings = ConnectionText.Parse(options.ConnectionString)[0];
        if (options.MaxPoolSize is { } size)
        {
            settings.MaxPoolSize = size;
            settings.MinPoolSize = Math.Min(settings.MinPoolSize, size);
        }

        if (options.ConnectionLifetime is { } lifetime) settings.ConnectionLifetime = (int)Math.Ceiling(lifetime.TotalSeconds);
        return settings;
    }

    // Whether a failure is that of the caller's statement or of the position query after it: Npgsql names the command that failed.
    private static NpgsqlConnectionStringBuilder ForWriting(NpgsqlConnectionStringBuilder settings)
    {
        settings.IncludeFailedBatchedCommand = true;
        return settings;
    }

    // A node promoted under a read's feet, or the primary serving a read, then answers a hidden write with 25006 instead of running it.
    private static NpgsqlConnectionStringBuilder ForReading(NpgsqlConnectionStringBuilder settings)
    {
        // A read inside a TransactionScope is no part of its transaction; enlisting it would make a second participant of the replica.
        settings.Enlist = false;
        settings.Options = string.Join(' ', settings.Options, "-c default_transaction_read_only=on").Trim();
        return settings;
    }

    private static NpgsqlConnectionStringBuilder ForProbing(NpgsqlConnectionStringBuilder settings, TimeSpan timeout, bool isAlone)
    {
        // A pooler may refuse start-up options. With several nodes it lets them pass, since the reads of each are opened with them.
        if (!isAlone) settings.Options = string.Join(' ', settings.Options, ProbeSettings).Trim();
        settings.Pooling = false;
        settings.Enlist = false;
        settings.ApplicationName = string.IsNullOrEmpty(settings.ApplicationName)
            ? "tidemark monitor" : $"{settings.ApplicationName} (tidemark monitor)";

        // A node that does not even refuse the connection is tried again after this, so that its return is noticed soon. Zero would mean
        // for ever.
        settings.Timeout = settings.Timeout is > 0 and < MaxConnectSeconds ? settings.Timeout : MaxConnectSeconds;

        // The probes keep the connection alive. The driver's own keepalive comes from the pool of threads, and would end a connection that
        // is in use.
        settings.KeepAlive = 0;

        // A probe that hangs is given up and its connection broken at once: nothing is waited for on a server that does not answer.
        settings.CommandTimeout = Math.Max(2, (int)Math.Ceiling(timeout.TotalSeconds * 2));
        settings.CancellationTimeout = -1;
        return settings;
    }
}

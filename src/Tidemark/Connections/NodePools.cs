using Npgsql;

namespace Tidemark;

/// <summary>The data sources of one node: a pool for reads, a pool for writes, and one connection for the monitor.</summary>
internal sealed class NodePools : IAsyncDisposable, IDisposable
{
    // In whole seconds, because the driver takes whole seconds.
    private const int MaxConnectSeconds = 5;
    private static readonly TimeSpan MaxWaitForProbe = TimeSpan.FromMilliseconds(500);
    // A standby rejects serializable transactions, the timeouts are meant for the application's statements, and a user-defined function may
    // hide one that a probe calls. Start-up options override the settings of the server, the database and the role. Later options override
    // earlier ones.
    private const string ProbeSettings =
        @"-c default_transaction_isolation=read\ committed -c default_transaction_deferrable=off -c search_path=pg_catalog"
        + " -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0";

    public NodePools(string name, NodeOptions options, ClusterSettings cluster, bool isAlone)
    {
        Name = name;
        Writes = Build($"{name}/writes", cluster, ForWriting(Settings(options)));

        // A single node has nothing to separate: reads share the pool of the writes, so it needs no more connections than without Tidemark.
        Reads = isAlone ? Writes : Build($"{name}/reads", cluster, ForReading(Settings(options)));

        var timeout = cluster.Options.ProbeTimeout;
        var probing = ForProbing(Settings(options), timeout, isAlone);
        var maintenance = new NpgsqlConnectionStringBuilder(probing.ConnectionString) { Database = "postgres" };
#pragma warning disable CA2000 // The probe thread disposes it.
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

    /// <summary>Drops idle connections, which belong to an earlier epoch of the server.</summary>
    public void Clear()
    {
        Reads.Clear();
        Writes.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        // Do not wait for a probe that hangs: its thread closes the connection once the probe has timed out.
        await Task.WhenAny(Probe.Stop(), Task.Delay(MaxWaitForProbe, TimeProvider.System)).ConfigureAwait(false);
        await Reads.DisposeAsync().ConfigureAwait(false);
        await Writes.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Closes the pools at once. Does not wait for the probe thread, which closes its own connection.</summary>
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

    // Npgsql then names the failed command, which shows whether the caller's statement failed or the position query after it.
    private static NpgsqlConnectionStringBuilder ForWriting(NpgsqlConnectionStringBuilder settings)
    {
        settings.IncludeFailedBatchedCommand = true;
        return settings;
    }

    // If the node was promoted during a read, or the primary serves a read, the server then rejects a hidden write with 25006 instead of
    // running it.
    private static NpgsqlConnectionStringBuilder ForReading(NpgsqlConnectionStringBuilder settings)
    {
        // A read inside a TransactionScope is not part of its transaction. Enlisting it would make the replica a second participant.
        settings.Enlist = false;
        settings.Options = string.Join(' ', settings.Options, "-c default_transaction_read_only=on").Trim();
        return settings;
    }

    private static NpgsqlConnectionStringBuilder ForProbing(NpgsqlConnectionStringBuilder settings, TimeSpan timeout, bool isAlone)
    {
        // A pooler may reject start-up options. With several nodes they are known to pass, because the read pool of each node uses them
        // too.
        if (!isAlone) settings.Options = string.Join(' ', settings.Options, ProbeSettings).Trim();
        settings.Pooling = false;
        settings.Enlist = false;
        settings.ApplicationName = string.IsNullOrEmpty(settings.ApplicationName)
            ? "tidemark monitor" : $"{settings.ApplicationName} (tidemark monitor)";

        // Limits how long a connection attempt to an unreachable node takes, so that its return is noticed soon. Zero would mean no limit.
        settings.Timeout = settings.Timeout is > 0 and < MaxConnectSeconds ? settings.Timeout : MaxConnectSeconds;

        // The probes keep the connection alive. The driver's own keepalive runs on the thread pool, and would end a connection that is in
        // use.
        settings.KeepAlive = 0;

        // A probe that hangs is abandoned and its connection broken at once, without waiting for a server that does not respond.
        settings.CommandTimeout = Math.Max(2, (int)Math.Ceiling(timeout.TotalSeconds * 2));
        settings.CancellationTimeout = -1;
        return settings;
    }
}

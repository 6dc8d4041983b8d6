using Npgsql;

namespace Tidemark;

/// <summary>The data sources of one node: one pool that reads, one that writes, and one connection for the monitor.</summary>
internal sealed class NodePools : IAsyncDisposable, IDisposable
{
    public NodePools(string name, NodeOptions options, TidemarkDataSourceBuilder builder, bool isAlone)
    {
        Name = name;
        Writes = Build($"{name}/writes", builder, ForWriting(Settings(options)));

        // With one node there is nothing to keep apart: reads share the pool, and the node costs no more connections than without Tidemark.
        Reads = isAlone ? Writes : Build($"{name}/reads", builder, ForReading(Settings(options)));

        var probing = ForProbing(Settings(options), builder.Options.ProbeTimeout);
        var maintenance = new NpgsqlConnectionStringBuilder(probing.ConnectionString) { Database = "postgres" };
        Probe = new NodeProbe(Build($"{name}/monitor", builder, probing), Build($"{name}/monitor", builder, maintenance), probing.ConnectionString);
    }

    public string Name { get; }

    public NpgsqlDataSource Reads { get; }

    public NpgsqlDataSource Writes { get; }

    public NodeProbe Probe { get; }

    /// <summary>Drops idle connections: they led to a life of the server that is over.</summary>
    public void Clear()
    {
        Reads.Clear();
        Writes.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await Probe.DisposeAsync().ConfigureAwait(false);
        await Reads.DisposeAsync().ConfigureAwait(false);
        await Writes.DisposeAsync().ConfigureAwait(false);
    }

    public void Dispose()
    {
        Reads.Dispose();
        Writes.Dispose();
    }

    private static NpgsqlDataSource Build(string name, TidemarkDataSourceBuilder builder, NpgsqlConnectionStringBuilder settings)
    {
        var source = new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = name };
        if (builder.LoggerFactory is { } loggers) source.UseLoggerFactory(loggers);
        builder.NodeCallback?.Invoke(source);
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

    private static NpgsqlConnectionStringBuilder ForProbing(NpgsqlConnectionStringBuilder settings, TimeSpan timeout)
    {
        settings.Pooling = false;
        settings.Enlist = false;
        settings.ApplicationName = string.IsNullOrEmpty(settings.ApplicationName) ? "tidemark monitor" : $"{settings.ApplicationName} (tidemark monitor)";

        // A node that does not even refuse the connection is tried again after this, so that its return is noticed soon.
        settings.Timeout = Math.Min(settings.Timeout, 5);

        // A probe that hangs is given up and its connection broken at once: nothing is waited for on a server that does not answer.
        settings.CommandTimeout = Math.Max(2, (int)Math.Ceiling(timeout.TotalSeconds * 2));
        settings.CancellationTimeout = -1;
        return settings;
    }
}

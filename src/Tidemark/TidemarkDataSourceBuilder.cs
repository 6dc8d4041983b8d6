using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Tidemark;

/// <summary>Builds a <see cref="TidemarkDataSource"/>: nodes and settings, and what every node's connections have in common.</summary>
public sealed class TidemarkDataSourceBuilder
{
    /// <summary>A builder without nodes.</summary>
    public TidemarkDataSourceBuilder()
        : this(new TidemarkOptions())
    {
    }

    /// <summary>A builder on settings that exist, such as those read from configuration.</summary>
    public TidemarkDataSourceBuilder(TidemarkOptions options) => Options = options;

    /// <summary>The nodes and settings; checked by <see cref="Build"/>.</summary>
    public TidemarkOptions Options { get; }

    /// <summary>Where the data source and Npgsql log. Nowhere by default.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>The clock of probes and time-outs. The system's by default.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// Where <see cref="TidemarkDataSource.NoteWriteAsync"/> keeps its keys. In the memory of the process by default, where no other
    /// process sees them;
    /// <see cref="TableFreshnessStore"/> shares them. One store for each data source.
    /// </summary>
    public FreshnessStore? FreshnessStore { get; set; }

    internal Action<NpgsqlDataSourceBuilder>? NodeCallback { get; private set; }

    /// <summary>The seed of the balancers' chance; drawn from the clock by default.</summary>
    internal long? Seed { get; set; }

    /// <summary>Stands in for the probes, so that a test or simulation needs no server to have a cluster; the probes by default.</summary>
    internal ProbeNode? ProbeNodes { get; set; }

    /// <summary>Stands in for the question which of some server processes are gone.</summary>
    internal Func<int, int[], Task<int[]>>? AskBackends { get; set; }

    /// <summary>Stands in for the question which of some transactions have ended.</summary>
    internal Func<int, string[], Task<string[]>>? AskTransactions { get; set; }

    /// <summary>How those who wait for the monitor go on; on the pool by default.</summary>
    internal TaskCreationOptions Resumption { get; set; } = TaskCreationOptions.RunContinuationsAsynchronously;

    /// <summary>Adds a node.</summary>
    /// <inheritdoc cref="TidemarkOptions.AddNode(string, string)"/>
    public TidemarkDataSourceBuilder AddNode(string name, string connectionString)
    {
        Options.AddNode(name, connectionString);
        return this;
    }

    /// <summary>
    /// Configures the Npgsql data sources of every node alike: enum and plugin types, periodic passwords, TLS. Called once for each of a
    /// node's
    /// pools (reads, writes, monitor). Several callbacks run in the order they were given.
    /// </summary>
    public TidemarkDataSourceBuilder ConfigureNodes(Action<NpgsqlDataSourceBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        NodeCallback += configure;
        return this;
    }

    /// <summary>Checks the settings and starts probing the nodes. Opens no connection for reads or writes yet.</summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">Settings are wrong; names all of them.</exception>
    /// <exception cref="InvalidOperationException">The <see cref="FreshnessStore"/> belongs to another data source.</exception>
    public TidemarkDataSource Build()
    {
        TidemarkOptionsValidator.ThrowIfInvalid(Options);
        var logger = LoggerFactory is null ? NullLogger.Instance : (ILogger)new QuietLogger(LoggerFactory.CreateLogger("Tidemark"));
        var cluster = new ClusterConnections(new ClusterSettings
        {
            Options = Options,
            LoggerFactory = LoggerFactory,
            Logger = logger,
            TimeProvider = TimeProvider,
            ConfigureNode = NodeCallback,
            Seed = Seed,
            ProbeNodes = ProbeNodes,
            AskBackends = AskBackends,
            AskTransactions = AskTransactions,
            Resumption = Resumption,
        });
        try
        {
            return new TidemarkDataSource(Options, cluster, TimeProvider, FreshnessStore);
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }
}

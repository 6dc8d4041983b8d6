using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Builds a <see cref="TidemarkDataSource"/> from nodes, options and settings that apply to the connections of every node.
/// </summary>
public sealed class TidemarkDataSourceBuilder
{
    /// <summary>Creates a builder without nodes.</summary>
    public TidemarkDataSourceBuilder()
        : this(new TidemarkOptions())
    {
    }

    /// <summary>Creates a builder with existing options, such as those read from configuration.</summary>
    public TidemarkDataSourceBuilder(TidemarkOptions options) => Options = options;

    /// <summary>The nodes and options. <see cref="Build"/> validates them.</summary>
    public TidemarkOptions Options { get; }

    /// <summary>The logger factory of the data source and of Npgsql. By default, nothing is logged.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>The clock for probes and time-outs. The system clock by default.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// The store for the keys of <see cref="TidemarkDataSource.NoteWriteAsync"/>. By default keys are stored in memory, and other processes
    /// cannot read them; <see cref="TableFreshnessStore"/> shares them. Each data source needs its own store.
    /// </summary>
    public FreshnessStore? FreshnessStore { get; set; }

    internal Action<NpgsqlDataSourceBuilder>? NodeCallback { get; private set; }

    /// <summary>The seed for the balancer's random numbers. Derived from the clock by default.</summary>
    internal long? Seed { get; set; }

    /// <summary>Replaces the probes, so that a test or simulation does not need servers. By default the nodes are probed.</summary>
    internal ProbeNode? ProbeNodes { get; set; }

    /// <summary>Replaces the query that finds which of the given server processes no longer exist.</summary>
    internal Func<int, int[], Task<int[]>>? QueryBackends { get; set; }

    /// <summary>Replaces the query that finds which of the given transactions have ended.</summary>
    internal Func<int, string[], Task<string[]>>? QueryTransactions { get; set; }

    /// <summary>How callers that wait for the monitor are resumed. On the thread pool by default.</summary>
    internal TaskCreationOptions Resumption { get; set; } = TaskCreationOptions.RunContinuationsAsynchronously;

    /// <summary>Adds a node.</summary>
    /// <inheritdoc cref="TidemarkOptions.AddNode(string, string)"/>
    public TidemarkDataSourceBuilder AddNode(string name, string connectionString)
    {
        Options.AddNode(name, connectionString);
        return this;
    }

    /// <summary>
    /// Configures the Npgsql data sources of every node: enum and plugin types, periodic passwords, TLS. Called once for each pool of a
    /// node (reads, writes, monitor). Several callbacks run in the order in which they were added.
    /// </summary>
    public TidemarkDataSourceBuilder ConfigureNodes(Action<NpgsqlDataSourceBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        NodeCallback += configure;
        return this;
    }

    /// <summary>Validates the options and starts to probe the nodes. Does not open connections for reads or writes yet.</summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">
    /// The options are not valid. The exception lists all errors.
    /// </exception>
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
            QueryBackends = QueryBackends,
            QueryTransactions = QueryTransactions,
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

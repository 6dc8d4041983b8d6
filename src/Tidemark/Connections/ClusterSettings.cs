using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>What the pools, the monitor and the router are built from: the options, and what only code can set.</summary>
internal sealed record ClusterSettings
{
    public required TidemarkOptions Options { get; init; }

    /// <summary>Where Npgsql logs; <see langword="null"/>: nowhere.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    public required ILogger Logger { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Configures the Npgsql data source of each pool; <see langword="null"/>: nothing does.</summary>
    public Action<NpgsqlDataSourceBuilder>? ConfigureNode { get; init; }

    /// <summary>The seed of the balancers; <see langword="null"/>: drawn from the clock.</summary>
    public long? Seed { get; init; }

    /// <summary>Replaces the probes, so that a test or simulation needs no server; <see langword="null"/>: servers are probed.</summary>
    public ProbeNode? ProbeNodes { get; init; }

    /// <summary>Replaces the query which of some server processes have ended.</summary>
    public Func<int, int[], Task<int[]>>? AskBackends { get; init; }

    /// <summary>Replaces the query which of some transactions have ended.</summary>
    public Func<int, string[], Task<string[]>>? AskTransactions { get; init; }

    /// <summary>How callers that wait for the monitor are resumed.</summary>
    public TaskCreationOptions Resumption { get; init; } = TaskCreationOptions.RunContinuationsAsynchronously;
}

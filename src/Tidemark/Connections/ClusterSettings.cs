using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>What the pools, the monitor and the router are built from: the options, and settings that only code can set.</summary>
internal sealed record ClusterSettings
{
    public required TidemarkOptions Options { get; init; }

    /// <summary>The logger factory for Npgsql, or <see langword="null"/> if Npgsql does not log.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    public required ILogger Logger { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Configures the Npgsql data source of each pool, or <see langword="null"/> to leave it unchanged.</summary>
    public Action<NpgsqlDataSourceBuilder>? ConfigureNode { get; init; }

    /// <summary>The seed of the balancers, or <see langword="null"/> to take it from the clock.</summary>
    public long? Seed { get; init; }

    /// <summary>Replaces the probes, so that a test or simulation needs no server. If <see langword="null"/>, servers are probed.</summary>
    public ProbeNode? ProbeNodes { get; init; }

    /// <summary>Replaces the query that returns which of some server processes have ended.</summary>
    public Func<int, int[], Task<int[]>>? QueryBackends { get; init; }

    /// <summary>Replaces the query that returns which of some transactions have ended.</summary>
    public Func<int, string[], Task<string[]>>? QueryTransactions { get; init; }

    /// <summary>How callers that wait for the monitor are resumed.</summary>
    public TaskCreationOptions Resumption { get; init; } = TaskCreationOptions.RunContinuationsAsynchronously;
}

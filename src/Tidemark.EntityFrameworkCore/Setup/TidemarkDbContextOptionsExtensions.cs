using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that connect a context to a cluster.</summary>
public static class TidemarkDbContextOptionsExtensions
{
    /// <summary>
    /// Connects the context to the application's cluster. Replaces <c>UseNpgsql</c>. Queries that do not track entities read from a replica
    /// that has the session's writes. Everything else runs on the primary. Queries need no change.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="services">The services in which <c>AddTidemark</c> registered the <see cref="TidemarkDataSource"/>.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="InvalidOperationException">
    /// No <see cref="TidemarkDataSource"/> is registered, or the context is already configured for another cluster, database or provider.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The data source has been disposed of.</exception>
    public static DbContextOptionsBuilder UseTidemark(
        this DbContextOptionsBuilder options, IServiceProvider services, Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var source = services.GetService<TidemarkDataSource>() ?? throw new InvalidOperationException(
            "UseTidemark requires a TidemarkDataSource, but none is registered. Call services.AddTidemark(…) as well.");
        return options.UseTidemark(source, npgsql);
    }

    /// <inheritdoc cref="UseTidemark(DbContextOptionsBuilder, IServiceProvider, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    /// <param name="options">The options of the context.</param>
    /// <param name="source">The cluster.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    public static DbContextOptionsBuilder UseTidemark(
        this DbContextOptionsBuilder options, TidemarkDataSource source, Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(source);
        source.ThrowIfDisposed();
        var isInUse = TidemarkOptionsExtension.IsInUse(options.Options, source);
        options.UseNpgsql(source, npgsql);
        return isInUse ? options : options.AddRouting(source, ReachCluster);
    }

    /// <inheritdoc cref="UseTidemark(DbContextOptionsBuilder, IServiceProvider, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseTidemark<TContext>(
        this DbContextOptionsBuilder<TContext> options, IServiceProvider services, Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseTidemark((DbContextOptionsBuilder)options, services, npgsql);

    /// <inheritdoc cref="UseTidemark(DbContextOptionsBuilder, TidemarkDataSource, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseTidemark<TContext>(
        this DbContextOptionsBuilder<TContext> options, TidemarkDataSource source, Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseTidemark((DbContextOptionsBuilder)options, source, npgsql);

    /// <summary>Adds the services that every routed context needs, whatever its main connection is.</summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="source">The cluster.</param>
    /// <param name="access">Creates what the commands of a context reach the nodes with.</param>
    /// <param name="connection">A connection that may stand in for the cluster's own; <see langword="null"/> for none.</param>
    internal static DbContextOptionsBuilder AddRouting(
        this DbContextOptionsBuilder options, TidemarkDataSource source,
        Func<ContextState, RelationalConnectionDependencies, ILoggerFactory, INodeAccess> access, NpgsqlConnection? connection = null)
    {
        options.AddInterceptors(PrimaryFollower.Instance, RollbackWatcher.Instance, SaveWatcher.Instance);
        if (source.SlowReads.IsWanted) options.AddInterceptors(SlowReadWatcher.Instance);

        // The WAL position that a piggybacked query returns after a write is such a result set. It is read, and does not indicate a
        // mistake.
        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.UnexpectedTrailingResultSetWhenSaving));
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(
            new TidemarkOptionsExtension(source, access, static services => services.AddEntityFrameworkTidemark(), connection));
        return options;
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "The access that is returned owns the connections.")]
    private static ClusterAccess ReachCluster(ContextState state, RelationalConnectionDependencies dependencies, ILoggerFactory logs) =>
        new(state, new NodeConnections(dependencies, logs, state.Source, PrimaryFollower.Instance));
}

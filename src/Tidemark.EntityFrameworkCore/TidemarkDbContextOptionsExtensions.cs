using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Connects a context to a cluster.</summary>
public static class TidemarkDbContextOptionsExtensions
{
    /// <summary>
    /// Connects the context to the application's cluster in place of <c>UseNpgsql</c>: queries that track no entity read from a replica
    /// that has
    /// what the session wrote; everything else goes to the primary. Queries need no change.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="services">Where the <see cref="TidemarkDataSource"/> is registered, by <c>AddTidemark</c>.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="InvalidOperationException">
    /// No <see cref="TidemarkDataSource"/> is registered; or the context is configured for another cluster, database or provider already.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The data source was disposed of.</exception>
    public static DbContextOptionsBuilder UseTidemark(
        this DbContextOptionsBuilder options, IServiceProvider services, Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var source = services.GetService<TidemarkDataSource>() ?? throw new InvalidOperationException(
            "UseTidemark found no TidemarkDataSource among the services. Call services.AddTidemark(…) as well.");
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
        var isRepeated = TidemarkOptionsExtension.IsRepeated(options.Options, source);
        options.UseNpgsql(source, npgsql);
        return isRepeated ? options : options.AddRouting(new TidemarkOptionsExtension(source));
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

    /// <summary>What every context needs that is routed, whatever its main connection.</summary>
    internal static DbContextOptionsBuilder AddRouting(this DbContextOptionsBuilder options, TidemarkOptionsExtension extension)
    {
        options.ReplaceService<IRelationalCommandBuilderFactory, RoutedCommandBuilderFactory>();
        options.ReplaceService<IRelationalTransactionFactory, RoutedTransactionFactory>();
        options.ReplaceService<IModificationCommandBatchFactory, SavedBatchFactory>();
        options.ReplaceService<IQueryTranslationPreprocessorFactory, RouteMarkerFactory>();
        options.ReplaceService<IAsyncQueryProvider, RoutedQueryProvider>();

        // Npgsql's own strategy wraps what is transient in advice to retry, and would hide which node was asked for and why none could
        // serve.
        options.ReplaceService<IExecutionStrategyFactory, RelationalExecutionStrategyFactory>();
        options.AddInterceptors(PrimaryFollower.Instance, CommitPosition.Instance, SaveWatcher.Instance);
        if (extension.Source.SlowReads.IsWanted) options.AddInterceptors(SlowReadWatcher.Instance);

        // The position that rides behind a write is such a result set; it is read, and no mistake.
        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.UnexpectedTrailingResultSetWhenSaving));
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(extension);
        return options;
    }
}

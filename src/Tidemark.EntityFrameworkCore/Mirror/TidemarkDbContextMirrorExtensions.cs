using System.Data;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that connect a context under test to one database that plays a cluster.</summary>
public static class TidemarkDbContextMirrorExtensions
{
    /// <summary>
    /// Connects the context, in tests, to one database whose single connection plays the primary and the replicas. Replaces
    /// <c>UseTidemark</c>. Reads that would run on a replica return what the test has written but not committed, and everything can be
    /// rolled back. Routes are decided as in production, and recorded. If a read that would run on a replica writes, PostgreSQL rejects it
    /// and the read is retried, as in production.
    /// </summary>
    /// <remarks>
    /// The transaction is invisible to the code under test. A transaction that the code begins itself is a savepoint in it. A commit
    /// releases the savepoint, a rollback returns to it, and its isolation level is that of the surrounding transaction. Unlike in
    /// production, a connection that the code opens (<c>OpenConnection</c>) does not keep its reads on the primary, and connection
    /// interceptors are called for a single connection.
    /// </remarks>
    /// <param name="options">The options of the context.</param>
    /// <param name="transaction">The test's transaction, on an open connection. The caller keeps ownership and rolls it back.</param>
    /// <param name="routes">The cluster to play, and the record of routes. The caller keeps ownership.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="ArgumentException">The transaction has ended.</exception>
    /// <exception cref="InvalidOperationException">The context is already configured for a cluster.</exception>
    public static DbContextOptionsBuilder UseTidemarkMirror(
        this DbContextOptionsBuilder options, NpgsqlTransaction transaction, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (Mirror.ConnectionOf(transaction) is not { } connection)
            throw new ArgumentException("A mirror requires an active transaction, because all reads and writes run in it. This "
                + "transaction has ended. Begin a new one.", nameof(transaction));
        return options.AddMirror(connection, transaction, routes, npgsql);
    }

    /// <inheritdoc
    ///     cref="UseTidemarkMirror(DbContextOptionsBuilder, NpgsqlTransaction, RouteRecorder, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseTidemarkMirror<TContext>(
        this DbContextOptionsBuilder<TContext> options, NpgsqlTransaction transaction, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseTidemarkMirror((DbContextOptionsBuilder)options, transaction, routes, npgsql);

    /// <summary>
    /// Connects the context in the same way but without a surrounding transaction, for tests that clean up in another way. What the code
    /// under test writes is committed.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="connection">An open connection. The caller keeps ownership.</param>
    /// <param name="routes">The cluster to play, and the record of routes. The caller keeps ownership.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="ArgumentException">The connection is not open.</exception>
    /// <exception cref="InvalidOperationException">The context is already configured for a cluster.</exception>
    public static DbContextOptionsBuilder UseTidemarkMirror(
        this DbContextOptionsBuilder options, NpgsqlConnection connection, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return options.AddMirror(connection, transaction: null, routes, npgsql);
    }

    /// <inheritdoc
    ///     cref="UseTidemarkMirror(DbContextOptionsBuilder, NpgsqlConnection, RouteRecorder, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseTidemarkMirror<TContext>(
        this DbContextOptionsBuilder<TContext> options, NpgsqlConnection connection, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseTidemarkMirror((DbContextOptionsBuilder)options, connection, routes, npgsql);

    private static DbContextOptionsBuilder AddMirror(
        this DbContextOptionsBuilder options, NpgsqlConnection connection, NpgsqlTransaction? transaction, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(routes);
        if (connection.State != ConnectionState.Open)
            throw new ArgumentException("A mirror requires an open connection, because all reads and writes share its transaction. "
                + "Open the connection before the context is configured.", nameof(connection));
        if (options.Options.FindExtension<TidemarkOptionsExtension>() is not null)
            throw new InvalidOperationException(
                $"UseTidemarkMirror was called for {options.Options.ContextType.Name}, which is already configured for a cluster. "
                    + "UseTidemarkMirror replaces UseTidemark. Call only one of them, once.");

        routes.Source.ThrowIfDisposed();
        options.UseNpgsql(connection, npgsql);
        options.AddInterceptors(MirrorTransactions.Instance);
        var mirror = new Mirror(connection, transaction, routes);
        options.AddRouting(routes.Source, (state, _, _) => new MirrorAccess(mirror, state), connection);
        options.ReplaceService<IRelationalTransactionFactory, MirrorTransactionFactory>();
        return transaction is null ? options : options.AddInterceptors(MirrorSaves.Instance);
    }
}

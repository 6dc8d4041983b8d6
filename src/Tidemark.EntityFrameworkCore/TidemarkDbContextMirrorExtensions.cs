using System.Data;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Connects a context under test to one database that plays a cluster.</summary>
public static class TidemarkDbContextMirrorExtensions
{
    /// <summary>
    /// Connects the context to one database over one connection that plays primary and replicas, in place of <c>UseTidemark</c> in tests:
    /// reads that would go to a
    /// replica see what the test itself has written and not committed, and all of it can be rolled back. Routes are decided as in
    /// production and recorded; a read
    /// that would go to a replica and writes is refused by PostgreSQL and repeated as there.
    /// </summary>
    /// <remarks>
    /// The code under test does not see the transaction. One that it begins itself is a savepoint in it: a commit releases that, a rollback
    /// goes back to it, and its
    /// isolation is that of the transaction around it. A connection that the code under test opens (<c>OpenConnection</c>) does not keep
    /// its reads on the primary
    /// here, and interceptors of connections see one connection.
    /// </remarks>
    /// <param name="options">The options of the context.</param>
    /// <param name="transaction">The test's transaction, on an open connection. It stays the caller's, who rolls it back.</param>
    /// <param name="routes">The cluster that is played, and the record of routes. It stays the caller's.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="ArgumentException">The transaction has ended.</exception>
    /// <exception cref="InvalidOperationException">The context is configured for a cluster already.</exception>
    public static DbContextOptionsBuilder UseTidemarkMirror(
        this DbContextOptionsBuilder options, NpgsqlTransaction transaction, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (Mirror.ConnectionOf(transaction) is not { } connection)
            throw new ArgumentException("The transaction of a mirror must be under way: all reads and writes are part of it. This one "
                + "has ended.", nameof(transaction));
        return options.AddMirror(connection, transaction, routes, npgsql);
    }

    /// <inheritdoc cref="UseTidemarkMirror(DbContextOptionsBuilder, NpgsqlTransaction, RouteRecorder, Action{NpgsqlDbContextOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseTidemarkMirror<TContext>(
        this DbContextOptionsBuilder<TContext> options, NpgsqlTransaction transaction, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseTidemarkMirror((DbContextOptionsBuilder)options, transaction, routes, npgsql);

    /// <summary>
    /// The same without a transaction around it, for tests that clean up in another way: what the code under test writes is committed.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="connection">An open connection. It stays the caller's.</param>
    /// <param name="routes">The cluster that is played, and the record of routes. It stays the caller's.</param>
    /// <param name="npgsql">Configures the Npgsql provider, as with <c>UseNpgsql</c>.</param>
    /// <exception cref="ArgumentException">The connection is not open.</exception>
    /// <exception cref="InvalidOperationException">The context is configured for a cluster already.</exception>
    public static DbContextOptionsBuilder UseTidemarkMirror(
        this DbContextOptionsBuilder options, NpgsqlConnection connection, RouteRecorder routes,
            Action<NpgsqlDbContextOptionsBuilder>? npgsql = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return options.AddMirror(connection, transaction: null, routes, npgsql);
    }

    /// <inheritdoc cref="UseTidemarkMirror(DbContextOptionsBuilder, NpgsqlConnection, RouteRecorder, Action{NpgsqlDbContextOptionsBuilder}?)"/>
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
            throw new ArgumentException("The connection of a mirror must be open: its transaction is what all reads and writes share. "
                + "Open it before the context is configured.", nameof(connection));
        if (options.Options.FindExtension<TidemarkOptionsExtension>() is not null)
            throw new InvalidOperationException(
                $"UseTidemarkMirror was called for {options.Options.ContextType.Name}, which is configured for a cluster already. It "
                    + "takes the place of UseTidemark: call one of them, once.");

        routes.Source.ThrowIfDisposed();
        options.UseNpgsql(connection, npgsql);
        options.AddInterceptors(MirrorTransactions.Instance);
        return options.AddRouting(new TidemarkOptionsExtension(routes.Source, new Mirror(connection, transaction, routes)));
    }
}

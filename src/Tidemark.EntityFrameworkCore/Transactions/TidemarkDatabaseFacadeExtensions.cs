using System.Data;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that begin special transactions: one whose commit waits for replicas, or a snapshot on a replica.</summary>
public static class TidemarkDatabaseFacadeExtensions
{
    /// <summary>
    /// Begins a transaction whose commit waits as <paramref name="synchronousCommit"/> specifies, regardless of the server's own setting.
    /// Otherwise it is an ordinary transaction. If a wait for replicas is cancelled, the transaction is still committed, and
    /// <c>CommitWaitCancelled</c> is logged.
    /// </summary>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="synchronousCommit">What the commit waits for.</param>
    /// <param name="isolation">The isolation level. Default: the server's default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a defined <see cref="SynchronousCommit"/>.</exception>
    /// <exception cref="InvalidOperationException">The context is already in a transaction, or does not use Tidemark.</exception>
    public static IDbContextTransaction BeginTransaction(
        this DatabaseFacade database, SynchronousCommit synchronousCommit, IsolationLevel isolation = IsolationLevel.Unspecified)
    {
        var (routing, setting) = (Routing(database), TidemarkTransaction.SettingOf(synchronousCommit));
        var transaction = database.BeginTransaction(isolation);
        try
        {
            using var batch = TidemarkTransaction.Batch((NpgsqlConnection)database.GetDbConnection(), setting);
            if (batch.ExecuteScalar() is "") routing.Source.CommitAdvice.NoReplicaToWaitFor(synchronousCommit, setting);
            (transaction as RoutedTransaction)?.WatchWait(routing.Source, setting);
            return transaction;
        }
        catch
        {
            transaction.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="BeginTransaction(DatabaseFacade, SynchronousCommit, IsolationLevel)"/>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="synchronousCommit">What the commit waits for.</param>
    /// <param name="isolation">The isolation level. Default: the server's default.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static async Task<IDbContextTransaction> BeginTransactionAsync(
        this DatabaseFacade database,
        SynchronousCommit synchronousCommit,
        IsolationLevel isolation = IsolationLevel.Unspecified,
        CancellationToken cancellationToken = default)
    {
        var (routing, setting) = (Routing(database), TidemarkTransaction.SettingOf(synchronousCommit));
        var transaction = await database.BeginTransactionAsync(isolation, cancellationToken).ConfigureAwait(false);
        try
        {
            using var batch = TidemarkTransaction.Batch((NpgsqlConnection)database.GetDbConnection(), setting);
            if (await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is "")
                routing.Source.CommitAdvice.NoReplicaToWaitFor(synchronousCommit, setting);
            (transaction as RoutedTransaction)?.WatchWait(routing.Source, setting);
            return transaction;
        }
        catch
        {
            await transaction.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Begins a read-only transaction on a node that has everything the session wrote and observed: on a replica if one can serve it. Until
    /// the transaction ends, every query of the context runs in it, regardless of the query's own rules. The queries share one snapshot, as
    /// a report requires. Saving, <c>ExecuteUpdate</c>, <c>ExecuteDelete</c> and <c>ExecuteSql</c> throw.
    /// </summary>
    /// <remarks>
    /// If the transaction cannot begin on a node, another node is tried. Once begun, it stays on its node, and Tidemark neither moves nor
    /// retries anything in it. Retrying is up to the caller. Once the transaction has ended, its reads count as observed by the session.
    /// </remarks>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="consistency">
    /// The consistency level of its reads. Default: the level of the surrounding scope, or else the default level.
    /// </param>
    /// <param name="isolation">
    /// The isolation level. By default, the whole transaction has one snapshot. With <see cref="IsolationLevel.ReadCommitted"/>, each query
    /// has its own.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// The context is already in a transaction, its connection is open, or it does not use Tidemark.
    /// </exception>
    /// <exception cref="RoutingException">No node can serve the transaction. The message gives the reason for each node.</exception>
    /// <exception cref="ArgumentException">
    /// The isolation level is <see cref="IsolationLevel.Serializable"/>, which PostgreSQL rejects on replicas.
    /// </exception>
    public static IDbContextTransaction BeginReadOnlyTransaction(
        this DatabaseFacade database, Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead)
    {
        TidemarkReadOnlyTransaction.ThrowIfRefused(isolation);
        var routing = Routing(database);
        return ReadOnlyTransactionOpening.Begin(routing, Main(database), routing.RequestFor(consistency), isolation);
    }

    /// <inheritdoc cref="BeginReadOnlyTransaction"/>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="consistency">
    /// The consistency level of its reads. Default: the level of the surrounding scope, or else the default level.
    /// </param>
    /// <param name="isolation">
    /// The isolation level. By default, the whole transaction has one snapshot. With <see cref="IsolationLevel.ReadCommitted"/>, each query
    /// has its own.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static Task<IDbContextTransaction> BeginReadOnlyTransactionAsync(
        this DatabaseFacade database,
        Consistency? consistency = null,
        IsolationLevel isolation = IsolationLevel.RepeatableRead,
        CancellationToken cancellationToken = default)
    {
        TidemarkReadOnlyTransaction.ThrowIfRefused(isolation);
        var routing = Routing(database);
        return ReadOnlyTransactionOpening.BeginAsync(routing, Main(database), routing.RequestFor(consistency), isolation,
            cancellationToken);
    }

    private static IRelationalConnection Main(DatabaseFacade database) => database.GetService<IRelationalConnection>();

    private static ContextRouting Routing(DatabaseFacade database)
    {
        ArgumentNullException.ThrowIfNull(database);
        return OptionalRouting.Of((IInfrastructure<IServiceProvider>)database)
            ?? throw new InvalidOperationException(
                $"This context does not use Tidemark (its provider is '{database.ProviderName}'). Configure it with UseTidemark.");
    }
}

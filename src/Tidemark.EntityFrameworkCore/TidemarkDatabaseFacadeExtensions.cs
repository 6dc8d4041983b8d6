using System.Data;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>
/// Transactions of a context that ask for more than a place on the primary: a commit that waits for replicas, a snapshot on a replica.
/// </summary>
public static class TidemarkDatabaseFacadeExtensions
{
    /// <summary>
    /// Begins a transaction whose commit waits for as much as it asks for, whatever the server's own setting; otherwise it is a transaction
    /// like any other.
    /// A wait for replicas that is cancelled is logged (<c>CommitWaitCancelled</c>): the transaction is committed all the same.
    /// </summary>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="synchronousCommit">What the commit waits for.</param>
    /// <param name="isolation">The isolation level; the server's default when left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such <see cref="SynchronousCommit"/>.</exception>
    /// <exception cref="InvalidOperationException">The context is in a transaction, or does not use Tidemark.</exception>
    public static IDbContextTransaction BeginTransaction(
        this DatabaseFacade database, SynchronousCommit synchronousCommit, IsolationLevel isolation = IsolationLevel.Unspecified)
    {
        var (routing, setting) = (Routing(database), TidemarkTransaction.SettingOf(synchronousCommit));
        var transaction = database.BeginTransaction(isolation);
        try
        {
            using var batch = TidemarkTransaction.Batch((NpgsqlConnection)database.GetDbConnection(), setting);
            if (batch.ExecuteScalar() is "") routing.Source.CommitAdvice.NobodyToWaitFor(synchronousCommit, setting);
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
    /// <param name="isolation">The isolation level; the server's default when left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
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
                routing.Source.CommitAdvice.NobodyToWaitFor(synchronousCommit, setting);
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
    /// Begins a read-only transaction on a node that has what the session wrote and saw, a replica where one can serve it. Until it ends
    /// every query of the
    /// context, whatever its own rules, runs in it: one snapshot, for a report. Saving, <c>ExecuteUpdate</c>, <c>ExecuteDelete</c> and
    /// <c>ExecuteSql</c> throw.
    /// </summary>
    /// <remarks>
    /// When it cannot begin on a node, another is tried; once it has begun it stays, and nothing in it is moved or repeated: that is the
    /// caller's. What it has
    /// shown counts for the session once it has ended.
    /// </remarks>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="consistency">What its reads ask for; the surrounding scope's or the default level when left out.</param>
    /// <param name="isolation">
    /// One snapshot for all of it by default; with <see cref="IsolationLevel.ReadCommitted"/> one for each query.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// The context is in a transaction, its connection is open, or it does not use Tidemark.
    /// </exception>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <exception cref="ArgumentException"><see cref="IsolationLevel.Serializable"/>, which PostgreSQL refuses on replicas.</exception>
    public static IDbContextTransaction BeginReadOnlyTransaction(
        this DatabaseFacade database, Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead)
    {
        TidemarkReadOnlyTransaction.ThrowIfRefused(isolation);
        var routing = Routing(database);
        return Report.Begin(routing, Main(database), routing.AskFor(consistency), isolation);
    }

    /// <inheritdoc cref="BeginReadOnlyTransaction"/>
    /// <param name="database">The context's <see cref="DbContext.Database"/>.</param>
    /// <param name="consistency">What its reads ask for; the surrounding scope's or the default level when left out.</param>
    /// <param name="isolation">
    /// One snapshot for all of it by default; with <see cref="IsolationLevel.ReadCommitted"/> one for each query.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<IDbContextTransaction> BeginReadOnlyTransactionAsync(
        this DatabaseFacade database,
        Consistency? consistency = null,
        IsolationLevel isolation = IsolationLevel.RepeatableRead,
        CancellationToken cancellationToken = default)
    {
        TidemarkReadOnlyTransaction.ThrowIfRefused(isolation);
        var routing = Routing(database);
        return Report.BeginAsync(routing, Main(database), routing.AskFor(consistency), isolation, cancellationToken);
    }

    private static IRelationalConnection Main(DatabaseFacade database) => database.GetService<IRelationalConnection>();

    private static ContextRouting Routing(DatabaseFacade database)
    {
        ArgumentNullException.ThrowIfNull(database);
        return ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ContextRouting)) as ContextRouting
            ?? throw new InvalidOperationException(
                $"This context does not use Tidemark; its provider is '{database.ProviderName}'. Configure it with UseTidemark.");
    }
}

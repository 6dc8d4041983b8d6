using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Update.Internal;

#pragma warning disable EF1001 // Keeps the provider's own batch, and removes only failures that do not belong to the save.

namespace Tidemark;

/// <summary>
/// A batch of a save. The provider reads past the result of the last statement, into the answer to the position query. A failure of that
/// query therefore surfaces as a failure of the save, which an execution strategy would then run a second time.
/// </summary>
internal sealed class SavedBatch(ModificationCommandBatchFactoryDependencies dependencies, int maxBatchSize)
    : NpgsqlModificationCommandBatch(dependencies, maxBatchSize)
{
    public override void Execute(IRelationalConnection connection)
    {
        Lease(connection)?.Forget();
        try
        {
            base.Execute(connection);
        }
        catch (Exception failure) when (IsSaved(connection, failure))
        {
            // The batch is saved, and the store-generated values are propagated. The provider does that before it reads on.
        }
    }

    public override async Task ExecuteAsync(IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        Lease(connection)?.Forget();
        try
        {
            await base.ExecuteAsync(connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (IsSaved(connection, failure))
        {
            // The batch is saved, as in Execute.
        }
    }

    /// <summary>
    /// Returns whether the only statement of the batch was acknowledged and changed its row. A statement that changed no row failed: the
    /// provider did not get to report it, and a following attempt detects it.
    /// </summary>
    private static bool IsSaved(IRelationalConnection connection, Exception failure)
    {
        if (failure is DbUpdateConcurrencyException || Lease(connection)?.Piggybacked is not { } piggybacked) return false;
        return piggybacked.EndWith(failure is DbUpdateException { InnerException: { } cause } ? cause : failure)
            && piggybacked.Affected == 1;
    }

    private static WriteLease? Lease(IRelationalConnection connection) =>
        connection.DbConnection is NpgsqlConnection npgsql ? WriteLease.Of(npgsql) : null;
}

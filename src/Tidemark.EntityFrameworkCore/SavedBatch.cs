using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Update.Internal;

#pragma warning disable EF1001 // The provider's own batch is kept; only a failure that is not the save's is taken from it.

namespace Tidemark;

/// <summary>
/// A batch of a save. The provider reads past the result of the last statement, and so into the answer to the position query: a failure of
/// that query surfaces there as one of the save, which an execution strategy would then run a second time.
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
            // Saved, and the values of the store are propagated: the provider does that before it reads on.
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
            // As above.
        }
    }

    /// <summary>
    /// The one statement of the batch was acknowledged, and changed its row. One that changed no row failed: the provider did not come to
    /// say so, and an attempt that follows finds it out.
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

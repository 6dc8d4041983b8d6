using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// Creates the transactions of the code under test: savepoints if the test holds a transaction, and otherwise real ones as in production.
/// </summary>
internal sealed class MirrorTransactionFactory(RelationalTransactionFactoryDependencies dependencies)
    : RoutedTransactionFactory(dependencies)
{
    public override RelationalTransaction Create(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned) =>
        transactionOwned && ReferenceEquals(MirrorAccess.Of(connection.Context, connection.DbConnection)?.Transaction, transaction)
            ? new MirroredTransaction(connection, transaction, transactionId, logger, Dependencies.SqlGenerationHelper)
            : base.Create(connection, transaction, transactionId, logger, transactionOwned);
}

using System.Data;
using System.Transactions;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>Determines the state of a context's main connection.</summary>
internal static class MainConnection
{
    /// <summary>Returns whether the connection is closed and without a transaction, so that a command need not join anything.</summary>
    public static bool IsIdle(IRelationalConnection connection) =>
        CommitsByItself(connection) && connection.DbConnection.State == ConnectionState.Closed;

    /// <summary>Returns whether a command on the connection runs outside any transaction, both the context's and an ambient one.</summary>
    public static bool CommitsByItself(IRelationalConnection connection) =>
        connection.CurrentTransaction is null
        && (connection as ITransactionEnlistmentManager)?.EnlistedTransaction is null && Transaction.Current is null;

    /// <summary>Returns whether the connection comes from the cluster, and not from the user.</summary>
    public static bool IsLeased(IRelationalConnection connection) =>
        connection.DbConnection is NpgsqlConnection own && WriteLease.Of(own) is not null;
}

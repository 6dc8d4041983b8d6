using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// One connection that plays every node of a cluster, in one transaction. Records where commands would have run, and updates sessions as
/// leases would.
/// </summary>
/// <param name="connection">The test's connection.</param>
/// <param name="transaction">
/// The test's transaction, which surrounds everything that the code under test does; <see langword="null"/> if the test has none and the
/// code commits.
/// </param>
/// <param name="routes">The cluster, and the record of routes.</param>
internal sealed class Mirror(NpgsqlConnection connection, NpgsqlTransaction? transaction, RouteRecorder routes)
{
    public NpgsqlConnection Connection => connection;

    public NpgsqlTransaction? Transaction => transaction;

    public RouteRecorder Routes => routes;

    /// <summary>
    /// Returns the mirror that a context's main connection belongs to. Returns <see langword="null"/> outside mirrors, or if the context
    /// was later given another connection.
    /// </summary>
    public static Mirror? Of(IRelationalConnection main) =>
        ContextRouting.Of(main.Context)?.Mirror is { } mirror && ReferenceEquals(mirror.Connection, main.DbConnection) ? mirror : null;

    /// <summary>
    /// Returns the open connection of a transaction, or <see langword="null"/> if the transaction has ended. Npgsql's own property throws
    /// once the transaction has been disposed of.
    /// </summary>
    public static NpgsqlConnection? ConnectionOf(DbTransaction transaction)
    {
        try
        {
            return transaction.Connection as NpgsqlConnection;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>
    /// Begins a separate transaction around a write that commits by itself in production, so that a failure does not abort the test's
    /// transaction. The caller commits it. Returns <see langword="null"/> if there is nothing to guard.
    /// </summary>
    public static IDbContextTransaction? Guard(IRelationalConnection main) =>
        Of(main)?.Transaction is not null && CommandClassifier.CommitsByItself(main) ? main.BeginTransaction() : null;

    /// <summary>
    /// Records a command that is about to run and is not routed as a read. It runs on the primary, or in a read-only transaction.
    /// </summary>
    public void NoteOnMain(in RouteDecision decision, ContextRouting routing, string commandText, bool isQuery)
    {
        routes.Note(decision, commandText, isQuery);
        if (decision.Reason == RouteReason.TrackingQuery || routing.Report is not null) NoteSeen(decision, routing.Session);
        else NoteWritten(decision, routing.Session);
    }

    /// <summary>
    /// Records that the session observed the state of the node. All WAL positions are known here, so nothing is ever pending.
    /// </summary>
    public static void NoteSeen(in RouteDecision decision, ConsistencySession session) =>
        session.Observe(decision.State, onPrimary: !decision.IsReplica, LearnedOf(decision.State));

    public static void NoteWritten(in RouteDecision decision, ConsistencySession session)
    {
        if (!session.BeginWrite()) return;
        session.EndWrite(decision.State, LearnedOf(decision.State));
        NoteSeen(decision, session);
    }

    private static LearnedPosition LearnedOf(NodeState node) => new(new WalPosition(node.Timeline, node.Lsn), node.PrimaryEpoch);
}

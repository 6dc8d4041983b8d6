using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// One connection that plays every node of a cluster, in one transaction. Notes where commands would have run, and tells sessions what
/// leases would have told them.
/// </summary>
/// <param name="connection">The test's.</param>
/// <param name="transaction">
/// The test's, around all that the code under test does; <see langword="null"/>: none, and the code commits.
/// </param>
/// <param name="routes">The cluster, and the record.</param>
internal sealed class Mirror(NpgsqlConnection connection, NpgsqlTransaction? transaction, RouteRecorder routes)
{
    public NpgsqlConnection Connection => connection;

    public NpgsqlTransaction? Transaction => transaction;

    public RouteRecorder Routes => routes;

    /// <summary>
    /// The mirror that a context's main connection belongs to; <see langword="null"/>: none, or the context was given another connection
    /// since.
    /// </summary>
    public static Mirror? Of(IRelationalConnection main) =>
        ContextRouting.Of(main.Context)?.Mirror is { } mirror && ReferenceEquals(mirror.Connection, main.DbConnection) ? mirror : null;

    /// <summary>
    /// The open connection of a transaction; <see langword="null"/>: it has ended. Npgsql's throws once it was disposed of.
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
    /// A write that commits by itself in production is a transaction of its own here: where it fails, the test's goes on. It is the
    /// caller's to commit;
    /// <see langword="null"/>: there is nothing to guard.
    /// </summary>
    public static IDbContextTransaction? Guard(IRelationalConnection main) =>
        Of(main)?.Transaction is not null && CommandClassifier.CommitsByItself(main) ? main.BeginTransaction() : null;

    /// <summary>A command is about to run that is not routed as a read: on the primary, or in a read-only transaction.</summary>
    public void NoteOnMain(in RouteDecision decision, ContextRouting routing, string commandText, bool isQuery)
    {
        routes.Note(decision, commandText, isQuery);
        if (decision.Reason == RouteReason.TrackingQuery || routing.Report is not null) NoteSeen(decision, routing.Session);
        else NoteWritten(decision, routing.Session);
    }

    /// <summary>The session was shown what the node has. All places are known here, so nothing is ever pending.</summary>
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

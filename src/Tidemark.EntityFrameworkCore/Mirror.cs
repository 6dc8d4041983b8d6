using System.Transactions;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// One connection that plays every node of a cluster, in one transaction. Notes where commands would have run, and tells sessions what leases would have told them.
/// </summary>
/// <param name="connection">The test's.</param>
/// <param name="routes">The cluster, and the record.</param>
internal sealed class Mirror(NpgsqlConnection connection, RouteRecorder routes)
{
    public NpgsqlConnection Connection => connection;

    public RouteRecorder Routes => routes;

    /// <summary>The mirror that a context's main connection belongs to; <see langword="null"/>: none, or the context was given another connection since.</summary>
    public static Mirror? Of(IRelationalConnection main) =>
        ContextRouting.Of(main.Context)?.Mirror is { } mirror && ReferenceEquals(mirror.Connection, main.DbConnection) ? mirror : null;

    /// <summary>
    /// The code under test is in no transaction of its own. The one that the test handed to the context (<c>UseTransaction</c>) surrounds everything and would
    /// not be there in production.
    /// </summary>
    public static bool IsIdle(IRelationalConnection main) =>
        main.CurrentTransaction is null or RoutedTransaction { IsOwned: false }
        && (main as ITransactionEnlistmentManager)?.EnlistedTransaction is null && Transaction.Current is null;

    /// <summary>A command is about to run on the primary that is not routed as a read.</summary>
    public void NoteOnMain(in RouteDecision decision, ConsistencySession session, string commandText, bool isQuery)
    {
        routes.Note(decision, commandText, isQuery);
        if (decision.Reason == RouteReason.TrackingQuery) NoteSeen(decision, session);
        else NoteWritten(decision, session);
    }

    /// <summary>The session was shown what the node has. All places are known here, so nothing is ever pending.</summary>
    public static void NoteSeen(in RouteDecision decision, ConsistencySession session) =>
        session.Saw(decision.State, onPrimary: !decision.IsReplica, StampOf(decision.State));

    public static void NoteWritten(in RouteDecision decision, ConsistencySession session)
    {
        if (!session.BeginWrite()) return;
        session.EndWrite(decision.State, StampOf(decision.State));
        NoteSeen(decision, session);
    }

    private static Stamp StampOf(NodeState node) => new(new Place(node.Timeline, node.Position), node.Incarnation);
}

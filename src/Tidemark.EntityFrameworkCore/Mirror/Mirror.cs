using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>One connection that plays every node of a cluster, in one transaction.</summary>
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
    /// Records that the session observed the state of the node. All WAL positions are known here, so nothing is ever pending.
    /// </summary>
    public static void NoteObserved(in RouteDecision decision, ConsistencySession session) =>
        session.Observe(decision.State, onPrimary: !decision.IsReplica, KnownPositionOf(decision.State));

    /// <summary>Records that the session wrote on the node.</summary>
    public static void NoteWritten(in RouteDecision decision, ConsistencySession session)
    {
        if (!session.BeginWrite()) return;
        session.EndWrite(decision.State, KnownPositionOf(decision.State));
        NoteObserved(decision, session);
    }

    private static KnownPosition KnownPositionOf(NodeState node) => new(new WalPosition(node.Timeline, node.Lsn), node.PrimaryEpoch);
}

using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A context's own connection to the node that serves its reads. EF Core opens and closes it like the main connection, so that connection
/// interceptors (a tenant's <c>set_config</c>) run on it too.
/// </summary>
internal sealed class NodeConnection(RelationalConnectionDependencies dependencies,
    TidemarkDataSource source) : RelationalConnection(dependencies)
{
    private RouteDecision _decision;
    private ConsistencySession? _session;
    private ReadLease? _lease;

    /// <summary>The index of the node that the connection leads to; -1 before the first.</summary>
    public int NodeIndex { get; private set; } = -1;

    public new NpgsqlConnection DbConnection => (NpgsqlConnection)base.DbConnection;

    // The string cannot be set, because connections come from the node's pool.
    [AllowNull]
    public override string ConnectionString
    {
        get => source.Cluster.ConnectionString(Math.Max(NodeIndex, 0));
        set => throw new NotSupportedException(
            "The connection string of a read connection cannot be set, because the connection belongs to its node.");
    }

    /// <summary>Directs the connection to the node of the decision from its next opening on.</summary>
    public void LeadTo(in RouteDecision decision, ConsistencySession session)
    {
        _decision = decision;
        _session = session;
        NodeIndex = decision.NodeIndex;
        _lease?.Renew(decision.State, session);
    }

    /// <summary>Returns what the open connection must prove before its rows are accepted.</summary>
    public ConnectionCheck Check(in RouteDecision decision) => source.Cluster.CheckOf(_lease!, decision);

    /// <summary>Whether a query was sent since the last opening, on a connection that is not known to be read-only.</summary>
    public bool MayHaveWritten => _lease?.MayHaveWritten == true;

    /// <summary>Called when a query is about to be sent.</summary>
    public void Sending(ReadProof? proof) => _lease!.Sending(DbConnection, proof);

    /// <summary>Called when the rows of the current read, or its error, reach the caller.</summary>
    public void Deliver() => _lease?.Deliver();

    protected override DbConnection CreateDbConnection() => source.Cluster.CreateRead(_decision, _session, out _lease);
}

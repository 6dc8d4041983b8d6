using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// How the commands of one context reach the nodes that they are routed to. Everything above it decides and counts in the same way for
/// every implementation: real servers (<see cref="ClusterAccess"/>), or one connection that plays them in tests.
/// </summary>
internal interface INodeAccess : IResettableService, IDisposable, IAsyncDisposable
{
    /// <summary>
    /// Returns whether the connection leads to the cluster. If the user gave the context its own connection or connection string, the
    /// context reads there.
    /// </summary>
    bool LeadsToCluster(IRelationalConnection connection);

    /// <summary>Returns whether a read may run on a connection other than this one.</summary>
    bool MayBeLeft(IRelationalConnection connection);

    /// <summary>Takes an operation that runs a query on the node of each of its attempts.</summary>
    IReadOperation<RelationalDataReader> Query(SentCommand command, in RelationalCommandParameterObject parameters);

    /// <summary>
    /// Creates an operation that opens a connection to the node of a decision, and begins something other than a query on it.
    /// </summary>
    /// <param name="begin">Begins it.</param>
    /// <param name="isOneRead">Whether it has read everything when it returns. Otherwise the caller ends it.</param>
    IReadOperation<T> Opening<T>(BeginOnNode<T> begin, bool isOneRead)
        where T : class;

    /// <summary>Called when a command is about to run on the main connection because it is not routed as a read.</summary>
    void Executing(RouteReason because, in RelationalCommandParameterObject command, string commandText);

    /// <summary>
    /// Begins a transaction around a write that commits by itself, if a failure would do more than undo that write. The caller commits it.
    /// Returns <see langword="null"/> if there is nothing to guard.
    /// </summary>
    IDbContextTransaction? Guard(IRelationalConnection main);
}

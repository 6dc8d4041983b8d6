using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// Plays the nodes on the mirror's connection. Records where commands would have run, and updates sessions as leases would.
/// </summary>
internal sealed class MirrorAccess(Mirror mirror, ContextState state) : INodeAccess
{
    /// <summary>
    /// Returns the mirror that a context's main connection belongs to. Returns <see langword="null"/> outside mirrors, or if the context
    /// was later given another connection.
    /// </summary>
    public static Mirror? Of(DbContext? context, DbConnection connection) =>
        OptionalRouting.Of(context)?.Access is MirrorAccess access && access.Plays(connection) ? access.Mirror : null;

    private Mirror Mirror => mirror;

    public bool LeadsToCluster(IRelationalConnection connection) =>
        MainConnection.IsLeased(connection) || Plays(connection.DbConnection);

    public bool MayBeLeft(IRelationalConnection connection) =>
        Plays(connection.DbConnection) ? MainConnection.CommitsByItself(connection)
        : MainConnection.IsIdle(connection) && MainConnection.IsLeased(connection);

    public IReadOperation<RelationalDataReader> Query(SentCommand command, in RelationalCommandParameterObject parameters) =>
        new MirrorOperation(mirror, command, state, parameters);

    public IReadOperation<T> Opening<T>(BeginOnNode<T> begin, bool isOneRead)
        where T : class => new MirrorOpening<T>(mirror, state, begin, isOneRead);

    /// <summary>
    /// Records a command that is about to run and is not routed as a read. It runs on the primary, or in a read-only transaction.
    /// </summary>
    public void Executing(RouteReason because, in RelationalCommandParameterObject command, string commandText)
    {
        if (!LeadsToCluster(command.Connection)) return;
        var decision = state.DecideOnMain(because);
        mirror.Routes.Note(decision, commandText, command.CommandSource is CommandSource.LinqQuery or CommandSource.FromSqlQuery);
        if (decision.Reason is RouteReason.TrackingQuery or RouteReason.Reload || state.ReadOnlyTransaction is not null)
            Mirror.NoteObserved(decision, state.Session);
        else Mirror.NoteWritten(decision, state.Session);
    }

    // In production, the write commits by itself. Here, a failure would abort the test's transaction as well.
    public IDbContextTransaction? Guard(IRelationalConnection main) =>
        mirror.Transaction is not null && Plays(main.DbConnection) && MainConnection.CommitsByItself(main) ? main.BeginTransaction() : null;

    public void ResetState()
    {
    }

    public Task ResetStateAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public void Dispose()
    {
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private bool Plays(DbConnection connection) => ReferenceEquals(mirror.Connection, connection);
}

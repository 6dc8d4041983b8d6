using System.Data;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The point that every command of a context passes before a connection is opened. Reads that may leave the primary are routed here, and
/// retried on another node if their node fails before the first row. Everything else runs on the context's main connection as in plain EF
/// Core.
/// </summary>
internal sealed class RoutedCommand(
    RelationalCommandBuilderDependencies dependencies,
    QueryRoute route,
    string commandText,
    string logCommandText,
    IReadOnlyList<IRelationalParameter> parameters) : SentCommand(dependencies, route, commandText, logCommandText, parameters)
{
    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (OptionalRouting.Of(parameterObject.Context) is not { } routing) return base.ExecuteReader(parameterObject);
        var pending = routing.Begin(parameterObject, Route, out var ask);
        if (pending.IsRouted)
            return ReadLoop.Run(routing.Source.Watermarks, Request(routing, ask), routing.Access.Query(this, parameterObject));

        return Io.Result(ReadOnMainAsync(routing, pending, parameterObject, IoMode.Blocking, CancellationToken.None));
    }

    public override Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        if (OptionalRouting.Of(parameterObject.Context) is not { } routing)
            return base.ExecuteReaderAsync(parameterObject, cancellationToken);
        var pending = routing.Begin(parameterObject, Route, out var ask);
        var reading = pending.IsRouted
            ? ReadLoop.RunAsync(routing.Source.Watermarks, Request(routing, ask), routing.Access.Query(this, parameterObject),
                IoMode.Async, cancellationToken)
            : ReadOnMainAsync(routing, pending, parameterObject, IoMode.Async, cancellationToken);
        return reading.AsTask();
    }

    /// <summary>
    /// Runs a query that is not routed on the main connection. In a read-only transaction, that connection leads to the transaction's node.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<RelationalDataReader> ReadOnMainAsync(
        ContextRouting routing, PendingExecution pending, RelationalCommandParameterObject parameterObject, IoMode io,
        CancellationToken cancellationToken)
    {
        using var activity = OnMain(routing, pending, parameterObject);
        try
        {
            return routing.ReadOnlyTransaction is { Decision.NodeIndex: var node }
                ? await NodeTypes.ReadAsync(this, parameterObject, routing.Source, node, pending, mayRetry: true, io,
                    cancellationToken).ConfigureAwait(false)
                : io == IoMode.Async ? await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false)
                    : base.ExecuteReader(parameterObject);
        }
        catch (Exception failure) when (RouteActivity.Fail(activity, failure))
        {
            throw;
        }
    }

    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        var routing = OptionalRouting.Of(parameterObject.Context);
        using var activity = OnMain(routing, PendingExecution.Write, parameterObject);
        using var guard = Guard(routing, parameterObject.Connection);
        var changed = base.ExecuteNonQuery(parameterObject);
        guard?.Commit();
        return changed;
    }

    public override async Task<int> ExecuteNonQueryAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var routing = OptionalRouting.Of(parameterObject.Context);
        using var activity = OnMain(routing, PendingExecution.Write, parameterObject);
        using var guard = Guard(routing, parameterObject.Connection);
        var changed = await base.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        if (guard is not null) await guard.CommitAsync(cancellationToken).ConfigureAwait(false);
        return changed;
    }

    public override object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
    {
        using var activity = OnMain(OptionalRouting.Of(parameterObject.Context), PendingExecution.Write, parameterObject);
        return base.ExecuteScalar(parameterObject);
    }

    public override async Task<object?> ExecuteScalarAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using var activity = OnMain(OptionalRouting.Of(parameterObject.Context), PendingExecution.Write, parameterObject);
        return await base.ExecuteScalarAsync(parameterObject, cancellationToken).ConfigureAwait(false);
    }

    // A migration's command names no context, but its connection belongs to one.
    private static IDbContextTransaction? Guard(ContextRouting? routing, IRelationalConnection main) =>
        (routing ?? OptionalRouting.Of(main.Context))?.Access.Guard(main);

    /// <summary>
    /// Prepares a command that runs on the main connection. It belongs to the current session, whichever session the connection was opened
    /// in. If it is a write that commits by itself, a position query is piggybacked on it.
    /// </summary>
    private Activity? OnMain(ContextRouting? routing, in PendingExecution pending, in RelationalCommandParameterObject command)
    {
        if (routing is null) return null;
        var because = pending.WhyPrimary;
        if (because == RouteReason.Write) routing.ThrowIfMayNotWrite(command, Route);
        routing.Access.Executing(because, command, CommandText);
        var connection = command.Connection.DbConnection;
        var lease = connection is NpgsqlConnection { State: ConnectionState.Open } open ? WriteLease.Of(open) : null;
        lease?.Join(routing.Session);

        // On a connection that is already open, more may be written before it closes, unless the save opened it.
        var isLast = connection.State == ConnectionState.Closed
            || (lease is { IsOpenedBySave: true } && command.CommandSource == CommandSource.SaveChanges);
        Prepare(pending with
        {
            CommitsByItself = isLast && because == RouteReason.Write && MainConnection.CommitsByItself(command.Connection),
        });
        return RouteActivity.IsWanted ? RouteActivity.Start(routing.DecideOnMain(because, command.Connection)) : null;
    }

    private ReadRequest Request(ContextRouting routing, in QueryRequest ask) => routing.BeginRead(ask) with { Text = CommandText };
}

using System.Data;
using System.Data.Common;
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
    IReadOnlyList<IRelationalParameter> parameters) : RelationalCommand(dependencies, commandText, logCommandText, parameters)
{
    private readonly StrongBox<PositionedCommand?> _piggybacked = new();
    private QueryRoute _route = route;
    private bool _piggybacks;
    private ReadProof? _proof;

    /// <inheritdoc/>
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        _route = (commandTemplate as RoutedCommand)?._route ?? QueryRoute.Plain;
    }

    /// <summary>
    /// Creates the command that EF Core is about to run. If it is a write that commits by itself, a position query is piggybacked on it.
    /// </summary>
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId,
        DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (!Enum.IsDefined(commandMethod))
        {
            // The query is explained, not run. What the last run of this object left behind does not apply to it.
            ProbedQuery.Note(command, _route, parameterObject);
            return command;
        }

        _piggybacked.Value = null;
        if (_proof is { } proof && command is NpgsqlCommand { Connection: { } replica } read)
            return new CheckedCommand(read, replica, proof);
        if (command is not NpgsqlCommand { Connection: { } connection } plain || WriteLease.Of(connection) is not { } lease) return command;

        // The position that an earlier command of the same save reached does not apply to this one.
        lease.Forget();
        var isSave = parameterObject.CommandSource == CommandSource.SaveChanges && lease.IsOpenedBySave
            && MainConnection.CommitsByItself(parameterObject.Connection);
        var isAlone = _piggybacks || isSave;
        if (!isAlone || !BatchText.CanPiggyback(plain)) return command;

        var positioned = new PositionedCommand(plain, connection, lease);
        plain.Dispose();
        if (commandMethod == DbCommandMethod.ExecuteReader) _piggybacked.Value = positioned;
        return positioned;
    }

    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (ContextRouting.Of(parameterObject.Context) is not { } routing) return base.ExecuteReader(parameterObject);
        var because = routing.WhyPrimary(parameterObject, _route, out var ask);
        if (because == RouteReason.None)
            return ReadLoop.Run(
                routing.Source.Watermarks, Attempts(routing, ask), routing.Access.Query(this, parameterObject));
#pragma warning disable CA2012, RS0030 // Runs synchronously: the task is already complete, so this does not wait.
        return ReadOnMainAsync(routing, because, parameterObject, isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    public override Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        if (ContextRouting.Of(parameterObject.Context) is not { } routing)
            return base.ExecuteReaderAsync(parameterObject, cancellationToken);
        var because = routing.WhyPrimary(parameterObject, _route, out var ask);
        var reading = because == RouteReason.None
            ? ReadLoop.RunAsync(routing.Source.Watermarks, Attempts(routing, ask), routing.Access.Query(this, parameterObject),
                isAsync: true, cancellationToken)
            : ReadOnMainAsync(routing, because, parameterObject, isAsync: true, cancellationToken);
        return reading.AsTask();
    }

    /// <summary>Sends the query on the connection that an attempt has chosen.</summary>
    /// <param name="parameterObject">The query and its connection.</param>
    /// <param name="proof">What the node must prove in the same round trip; <see langword="null"/> for nothing.</param>
    /// <param name="isAlone">
    /// Whether the query runs on the main connection and commits by itself, so that a position query is piggybacked on it.
    /// </param>
    /// <param name="isAsync">If <see langword="false"/>, runs synchronously.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="ReplicaBehindException">The node does not have the required WAL position.</exception>
    internal ValueTask<RelationalDataReader> SendAsync(
        RelationalCommandParameterObject parameterObject, ReadProof? proof, bool isAlone, bool isAsync, CancellationToken cancellationToken)
    {
        (_proof, _piggybacks) = (proof, isAlone);
        return isAsync ? new(base.ExecuteReaderAsync(parameterObject, cancellationToken)) : new(base.ExecuteReader(parameterObject));
    }

    /// <summary>
    /// Runs a query that is not routed on the main connection. In a read-only transaction, that connection leads to the transaction's node.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<RelationalDataReader> ReadOnMainAsync(
        ContextRouting routing, RouteReason because, RelationalCommandParameterObject parameterObject, bool isAsync,
        CancellationToken cancellationToken)
    {
        using var activity = OnMain(routing, because, parameterObject);
        try
        {
            return routing.Report is { Decision.NodeIndex: var node }
                ? await NodeTypes.ReadAsync(this, parameterObject, routing.Source, node, proof: null, mayRetry: true, isAsync,
                    cancellationToken).ConfigureAwait(false)
                : isAsync ? await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false)
                    : base.ExecuteReader(parameterObject);
        }
        catch (Exception failure) when (RouteActivity.Fail(activity, failure))
        {
            throw;
        }
    }

    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        var routing = ContextRouting.Of(parameterObject.Context);
        using var activity = OnMain(routing, RouteReason.Write, parameterObject);
        using var guard = Guard(routing, parameterObject.Connection);
        var changed = base.ExecuteNonQuery(parameterObject);
        guard?.Commit();
        return changed;
    }

    public override async Task<int> ExecuteNonQueryAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var routing = ContextRouting.Of(parameterObject.Context);
        using var activity = OnMain(routing, RouteReason.Write, parameterObject);
        using var guard = Guard(routing, parameterObject.Connection);
        var changed = await base.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        if (guard is not null) await guard.CommitAsync(cancellationToken).ConfigureAwait(false);
        return changed;
    }

    public override object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write, parameterObject);
        return base.ExecuteScalar(parameterObject);
    }

    public override async Task<object?> ExecuteScalarAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write, parameterObject);
        return await base.ExecuteScalarAsync(parameterObject, cancellationToken).ConfigureAwait(false);
    }

    protected override RelationalDataReader CreateRelationalDataReader() => new PositionedDataReader(_piggybacked);

    // A migration's command names no context, but its connection belongs to one.
    private static IDbContextTransaction? Guard(ContextRouting? routing, IRelationalConnection main) =>
        (routing ?? ContextRouting.Of(main.Context))?.Access.Guard(main);

    /// <summary>
    /// Prepares a command that runs on the main connection. It belongs to the current session, whichever session the connection was opened
    /// in. If it is a write that commits by itself, a position query is piggybacked on it.
    /// </summary>
    private Activity? OnMain(ContextRouting? routing, RouteReason because, in RelationalCommandParameterObject command)
    {
        if (routing is null) return null;
        if (because == RouteReason.Write) routing.ThrowIfMayNotWrite(command, _route);
        routing.Access.Executing(because, command, CommandText);
        if (command.Connection.DbConnection is NpgsqlConnection { State: ConnectionState.Open } open)
            WriteLease.Of(open)?.Join(routing.Session);
        _proof = null;
        _piggybacks = because == RouteReason.Write && MainConnection.IsIdle(command.Connection);
        return RouteActivity.IsWanted ? RouteActivity.Start(routing.DecideOnMain(because, command.Connection)) : null;
    }

    private ReadAttempts Attempts(ContextRouting routing, in ReadAsk ask) => routing.BeginRead(ask) with { Text = CommandText };
}

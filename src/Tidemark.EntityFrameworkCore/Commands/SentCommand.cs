using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A command as it is sent on the connection that was chosen for it: with a check of the node, with a position query, or as in plain EF
/// Core.
/// </summary>
internal abstract class SentCommand(
    RelationalCommandBuilderDependencies dependencies,
    QueryRoute route,
    string commandText,
    string logCommandText,
    IReadOnlyList<IRelationalParameter> parameters) : RelationalCommand(dependencies, commandText, logCommandText, parameters)
{
    private readonly StrongBox<PositionedCommand?> _piggybacked = new();
    private PendingExecution _pending;

    /// <summary>What is known about the query.</summary>
    protected QueryRoute Route { get; private set; } = route;

    /// <inheritdoc/>
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        Route = (commandTemplate as SentCommand)?.Route ?? QueryRoute.Plain;
    }

    /// <summary>
    /// Creates the command that EF Core is about to run. If it is a write that commits by itself, a position query is piggybacked on it.
    /// </summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "EF Core disposes of the command.")]
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId,
        DbCommandMethod commandMethod)
    {
        if (!Enum.IsDefined(commandMethod))
        {
            // The query is explained, not run.
            var probe = base.CreateDbCommand(parameterObject, commandId, commandMethod);
            ProbedQuery.Note(probe, Route, parameterObject);
            return probe;
        }

        var pending = _pending;
        (_pending, _piggybacked.Value) = (default, null);
        var own = CreateOwn(parameterObject.Connection.DbConnection, pending);
        if (own is null) return base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (own is PositionedCommand positioned && commandMethod == DbCommandMethod.ExecuteReader) _piggybacked.Value = positioned;
        return Initialize(own, parameterObject, commandId, commandMethod);
    }

    /// <summary>Creates the command that is checked or returns its position. Returns <see langword="null"/> for any other.</summary>
    private static NpgsqlCommand? CreateOwn(DbConnection connection, in PendingExecution pending)
    {
        if (connection is not NpgsqlConnection npgsql) return null;
        if (pending.Proof is { } proof) return new CheckedCommand(npgsql, proof);
        if (WriteLease.Of(npgsql) is not { } lease) return null;

        // The position that an earlier command of the same save reached does not apply to this one.
        lease.Forget();
        return pending.CommitsByItself ? new PositionedCommand(npgsql, lease) : null;
    }

    /// <summary>
    /// Does what EF Core does with a command of its own, so that interceptors see the object that runs from its creation on.
    /// </summary>
    private DbCommand Initialize(DbCommand command, in RelationalCommandParameterObject parameterObject, Guid id, DbCommandMethod method)
    {
        var (connection, context, logger) = (parameterObject.Connection, parameterObject.Context, parameterObject.Logger);
        var time = TimeProvider.System;     // the clock of EF Core's own commands
        var (startTime, start) = (time.GetUtcNow(), time.GetTimestamp());
        var isLogged = logger?.ShouldLogCommandCreate(startTime) == true;
        if (isLogged)
        {
            var creating = logger!.CommandCreating(
                connection, method, context, id, connection.ConnectionId, startTime, parameterObject.CommandSource);
            if (creating.HasResult) command = creating.Result;
            command = logger.CommandCreated(
                connection, command, method, context, id, connection.ConnectionId, startTime, time.GetElapsedTime(start),
                parameterObject.CommandSource);
        }

        command.CommandText = CommandText;
        if (connection.CurrentTransaction is { } transaction) command.Transaction = transaction.GetDbTransaction();
        if (connection.CommandTimeout is { } timeout) command.CommandTimeout = timeout;
        foreach (var parameter in Parameters) parameter.AddDbParameter(command, parameterObject.ParameterValues);
        return isLogged
            ? logger!.CommandInitialized(
                connection, command, method, context, id, connection.ConnectionId, startTime, time.GetElapsedTime(start),
                parameterObject.CommandSource)
            : command;
    }

    /// <summary>Sends a query on the connection that was chosen for it.</summary>
    /// <param name="parameterObject">The query and its connection.</param>
    /// <param name="pending">What is about to be executed.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="ReplicaBehindException">The node does not have the required WAL position.</exception>
    internal ValueTask<RelationalDataReader> SendAsync(
        RelationalCommandParameterObject parameterObject, in PendingExecution pending, IoMode io, CancellationToken cancellationToken)
    {
        _pending = pending;
        return io == IoMode.Async
            ? new(base.ExecuteReaderAsync(parameterObject, cancellationToken)) : new(base.ExecuteReader(parameterObject));
    }

    /// <summary>Sets what EF Core is about to execute itself.</summary>
    protected void Prepare(in PendingExecution pending) => _pending = pending;

    protected override RelationalDataReader CreateRelationalDataReader() => new PositionedDataReader(_piggybacked);
}

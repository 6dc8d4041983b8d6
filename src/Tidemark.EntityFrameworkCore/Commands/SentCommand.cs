using System.Data.Common;
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
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId,
        DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (!Enum.IsDefined(commandMethod))
        {
            // The query is explained, not run.
            ProbedQuery.Note(command, Route, parameterObject);
            return command;
        }

        var pending = _pending;
        (_pending, _piggybacked.Value) = (default, null);
        if (pending.Proof is { } proof && command is NpgsqlCommand { Connection: { } replica } read)
            return new CheckedCommand(read, replica, proof);
        if (command is not NpgsqlCommand { Connection: { } connection } plain || WriteLease.Of(connection) is not { } lease) return command;

        // The position that an earlier command of the same save reached does not apply to this one.
        lease.Forget();
        if (!pending.CommitsByItself || !BatchText.CanPiggyback(plain)) return command;

        var positioned = new PositionedCommand(plain, connection, lease);
        plain.Dispose();
        if (commandMethod == DbCommandMethod.ExecuteReader) _piggybacked.Value = positioned;
        return positioned;
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

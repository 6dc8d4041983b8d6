using System.Data.Common;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The point that every command of a context passes, before anything is opened. Reads that may leave the primary are routed here, and repeated on
/// another node when theirs fails before the first row; all else runs on the context's main connection as it always did.
/// </summary>
internal sealed class RoutedCommand(
    RelationalCommandBuilderDependencies dependencies,
    QueryRoute route,
    string commandText,
    string logCommandText,
    IReadOnlyList<IRelationalParameter> parameters) : RelationalCommand(dependencies, commandText, logCommandText, parameters)
{
    private readonly StrongBox<WriteLease?> _riding = new();
    private QueryRoute _route = route;
    private bool _rides;
    private Place? _mustShow;

    /// <inheritdoc/>
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        _route = (commandTemplate as RoutedCommand)?._route ?? QueryRoute.Plain;
    }

    /// <summary>The command EF Core is about to run, with the position behind it where it is a write that commits by itself.</summary>
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        _riding.Value = null;
        if (_mustShow is { } place && command is NpgsqlCommand { Connection: { } replica } read) return new CheckedCommand(read, replica, place);
        if (command is not NpgsqlCommand { Connection: { } connection } plain || WriteLease.Of(connection) is not { } lease) return command;

        // What an earlier command of the same save has reached says nothing of this one.
        lease.Outcome = null;
        var isSave = parameterObject.CommandSource == CommandSource.SaveChanges && lease.IsOpenedBySave && ContextRouting.CommitsByItself(parameterObject.Connection);
        var isAlone = _rides || isSave;
        if (!isAlone || !BatchText.CanRide(plain)) return command;

        if (commandMethod == DbCommandMethod.ExecuteReader) _riding.Value = lease;
        var positioned = new PositionedCommand(plain, connection, lease);
        plain.Dispose();
        return positioned;
    }

    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (ContextRouting.Of(parameterObject.Context) is not { } routing) return base.ExecuteReader(parameterObject);
        var because = routing.WhyPrimary(parameterObject, _route, out var consistency);
        if (because != RouteReason.None)
        {
            using var activity = OnMain(routing, because, parameterObject);
            try
            {
                return base.ExecuteReader(parameterObject);
            }
            catch (Exception failure) when (RouteActivity.Fail(activity, failure))
            {
                throw;
            }
        }

        return ReadLoop.Run(routing.Source.Horizons, routing.BeginRead(_route, consistency), new Trip(this, routing, parameterObject));
    }

    public override async Task<RelationalDataReader> ExecuteReaderAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        if (ContextRouting.Of(parameterObject.Context) is not { } routing)
            return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        var because = routing.WhyPrimary(parameterObject, _route, out var consistency);
        if (because != RouteReason.None)
        {
            using var activity = OnMain(routing, because, parameterObject);
            try
            {
                return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception failure) when (RouteActivity.Fail(activity, failure))
            {
                throw;
            }
        }

        var attempts = routing.BeginRead(_route, consistency);
        var trip = new Trip(this, routing, parameterObject);
        return await ReadLoop.RunAsync(routing.Source.Horizons, attempts, trip, isAsync: true, cancellationToken).ConfigureAwait(false);
    }

    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write, parameterObject);
        return base.ExecuteNonQuery(parameterObject);
    }

    public override async Task<int> ExecuteNonQueryAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write, parameterObject);
        return await base.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
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

    protected override RelationalDataReader CreateRelationalDataReader() => new PositionedDataReader(_riding);

    /// <summary>
    /// The command runs on the main connection. A query that only tracks does not count as a write of the session; a write that commits by itself takes
    /// its position along.
    /// </summary>
    private Activity? OnMain(ContextRouting? routing, RouteReason because, in RelationalCommandParameterObject command)
    {
        if (routing is null) return null;
        routing.NextOpeningReads = because == RouteReason.TrackingQuery;
        _mustShow = null;
        _rides = because == RouteReason.Write && ContextRouting.IsIdle(command.Connection);
        return RouteActivity.IsWanted ? RouteActivity.Start(routing.Source.Cluster.Decide(ReadRequirement.Primary(because))) : null;
    }

    private static RelationalCommandParameterObject Through(NodeConnection node, in RelationalCommandParameterObject command) =>
        new(node, command.ParameterValues, command.ReaderColumns, command.Context, command.Logger, command.DetailedErrorsEnabled, command.CommandSource);

    private RelationalDataReader Execute(in RelationalCommandParameterObject parameterObject) => base.ExecuteReader(parameterObject);

    private Task<RelationalDataReader> ExecuteAsync(in RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken) =>
        base.ExecuteReaderAsync(parameterObject, cancellationToken);

    /// <summary>One read that may leave the primary: on the context's own connection to the node of each attempt.</summary>
    private sealed class Trip(RoutedCommand command, ContextRouting routing, RelationalCommandParameterObject parameters) : IReadTrip<RelationalDataReader>
    {
        private NodeConnection? _node;
        private bool _isOpen;

        public bool RunsCallersCommand => true;

        public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, bool isAsync, CancellationToken cancellationToken)
        {
            command._rides = false;
            command._mustShow = null;
            _node = null;
            if (isWrite) return ConnectionCheck.None;

            _node = routing.ConnectTo(decision);
            if (isAsync) await _node.OpenAsync(cancellationToken).ConfigureAwait(false);
            else _node.Open();
            _isOpen = true;
            return routing.Source.Cluster.CheckOf(_node.DbConnection.PostgresParameters, decision);
        }

        public async ValueTask<RelationalDataReader?> SendAsync(Place? mustShow, bool isAsync, CancellationToken cancellationToken)
        {
            // A statement that turned out to write runs on the main connection.
            var there = _node is null ? parameters : Through(_node, parameters);
            command._mustShow = mustShow;
            try
            {
                var reader = isAsync ? await command.ExecuteAsync(there, cancellationToken).ConfigureAwait(false) : command.Execute(there);

                // The reader has opened it once more for itself.
                if (_node is not null)
                {
                    Deliver();
                    await CloseAsync(isAsync).ConfigureAwait(false);
                }

                return reader;
            }
            catch (ReplicaBehindException)
            {
                return null;
            }
        }

        public void Deliver() => _node?.Deliver();

        public async ValueTask CloseAsync(bool isAsync)
        {
            if (!_isOpen) return;
            _isOpen = false;
            if (isAsync) await _node!.CloseAsync().ConfigureAwait(false);
            else _node!.Close();
        }
    }
}

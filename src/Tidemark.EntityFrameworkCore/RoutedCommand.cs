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

        _rides = false;
        var session = routing.Session;
        routing.Source.Horizons.Prepare(session);
        var attempts = routing.BeginRead(_route, consistency);
        while (true)
        {
            routing.Source.Horizons.Resolve(attempts, session);
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            _mustShow = null;
            if (attempts.IsWrite) return base.ExecuteReader(parameterObject);

            var node = routing.ConnectTo(decision);
            var isOpen = false;
            try
            {
                node.Open();
                isOpen = true;
                var check = routing.Source.Cluster.CheckOf(node.DbConnection, decision);
                if (check != ConnectionCheck.TooYoung)
                {
                    _mustShow = check == ConnectionCheck.Position ? decision.MustShow : null;
                    var reader = ReadOn(node, routing, parameterObject);
                    node.Deliver();
                    return reader;
                }

                attempts.GiveUp(check, activity);
            }
            catch (ReplicaBehindException)
            {
                attempts.GiveUp(ConnectionCheck.Position, activity);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen);
                if (!isAbsorbed) node.Deliver();
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
            finally
            {
                // The reader has opened it once more for itself.
                if (isOpen) node.Close();
            }
        }
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

        _rides = false;
        var session = routing.Session;
        await routing.Source.Horizons.PrepareAsync(session, cancellationToken).ConfigureAwait(false);
        var attempts = routing.BeginRead(_route, consistency);
        while (true)
        {
            await routing.Source.Horizons.ResolveAsync(attempts, session, cancellationToken).ConfigureAwait(false);
            var decision = attempts.Next();
            if (attempts.WaitsFor is { } place)
            {
                attempts.Waited(await routing.Source.Horizons.WaitAsync(place, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(decision);
            _mustShow = null;
            if (attempts.IsWrite) return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);

            var node = routing.ConnectTo(decision);
            var isOpen = false;
            try
            {
                await node.OpenAsync(cancellationToken).ConfigureAwait(false);
                isOpen = true;
                var check = routing.Source.Cluster.CheckOf(node.DbConnection, decision);
                if (check != ConnectionCheck.TooYoung)
                {
                    _mustShow = check == ConnectionCheck.Position ? decision.MustShow : null;
                    var reader = await ReadOnAsync(node, routing, parameterObject, cancellationToken).ConfigureAwait(false);
                    node.Deliver();
                    return reader;
                }

                attempts.GiveUp(check, activity);
            }
            catch (ReplicaBehindException)
            {
                attempts.GiveUp(ConnectionCheck.Position, activity);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen);
                if (!isAbsorbed) node.Deliver();
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
            finally
            {
                // The reader has opened it once more for itself.
                if (isOpen) await node.CloseAsync().ConfigureAwait(false);
            }
        }
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

    /// <summary>Runs the read on the node; a second time, with the node's types loaded anew, where its pool lacks one.</summary>
    private RelationalDataReader ReadOn(NodeConnection node, ContextRouting routing, in RelationalCommandParameterObject command)
    {
        try
        {
            var reader = base.ExecuteReader(Through(node, command));
            if (!NodeTypes.AreMissing(reader.DbDataReader, routing.Source, node.NodeIndex)) return reader;
            reader.Dispose();
        }
        catch (Exception failure) when (NodeTypes.MayBeWhy(failure))
        {
        }

        node.DbConnection.ReloadTypes();
        return base.ExecuteReader(Through(node, command));
    }

    /// <inheritdoc cref="ReadOn"/>
    private async Task<RelationalDataReader> ReadOnAsync(
        NodeConnection node, ContextRouting routing, RelationalCommandParameterObject command, CancellationToken cancellationToken)
    {
        try
        {
            var reader = await base.ExecuteReaderAsync(Through(node, command), cancellationToken).ConfigureAwait(false);
            if (!NodeTypes.AreMissing(reader.DbDataReader, routing.Source, node.NodeIndex)) return reader;
            await reader.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (NodeTypes.MayBeWhy(failure))
        {
        }

        await node.DbConnection.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
        return await base.ExecuteReaderAsync(Through(node, command), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The command on the node's connection, with the time-out that the context was given (<c>SetCommandTimeout</c>).</summary>
    private static RelationalCommandParameterObject Through(NodeConnection node, in RelationalCommandParameterObject command)
    {
        node.CommandTimeout = command.Connection.CommandTimeout;
        return new(node, command.ParameterValues, command.ReaderColumns, command.Context, command.Logger, command.DetailedErrorsEnabled, command.CommandSource);
    }
}

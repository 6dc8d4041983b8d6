using System.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

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
    private QueryRoute _route = route;

    /// <inheritdoc/>
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        _route = (commandTemplate as RoutedCommand)?._route ?? QueryRoute.Plain;
    }

    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        if (ContextRouting.Of(parameterObject.Context) is not { } routing) return base.ExecuteReader(parameterObject);
        var because = routing.WhyPrimary(parameterObject, _route, out var consistency);
        if (because != RouteReason.None)
        {
            using var activity = OnMain(routing, because);
            return base.ExecuteReader(parameterObject);
        }

        routing.Source.Prepare(routing.Session, consistency);
        var attempts = routing.BeginRead(_route, consistency);
        while (true)
        {
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            try
            {
                if (attempts.IsWrite) return base.ExecuteReader(parameterObject);
                var node = routing.ConnectTo(decision);
                if (Verify(node, routing, decision)) return base.ExecuteReader(Through(node, parameterObject));
                attempts.Exclude();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                if (!attempts.Absorb(failure)) throw;
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
            using var activity = OnMain(routing, because);
            return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }

        await routing.Source.PrepareAsync(routing.Session, consistency, cancellationToken).ConfigureAwait(false);
        var attempts = routing.BeginRead(_route, consistency);
        while (true)
        {
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            try
            {
                if (attempts.IsWrite) return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
                var node = routing.ConnectTo(decision);
                if (await VerifyAsync(node, routing, decision, cancellationToken).ConfigureAwait(false))
                    return await base.ExecuteReaderAsync(Through(node, parameterObject), cancellationToken).ConfigureAwait(false);
                attempts.Exclude();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                if (!attempts.Absorb(failure)) throw;
            }
        }
    }

    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write);
        return base.ExecuteNonQuery(parameterObject);
    }

    public override async Task<int> ExecuteNonQueryAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write);
        return await base.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
    }

    public override object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write);
        return base.ExecuteScalar(parameterObject);
    }

    public override async Task<object?> ExecuteScalarAsync(
        RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        using var activity = OnMain(ContextRouting.Of(parameterObject.Context), RouteReason.Write);
        return await base.ExecuteScalarAsync(parameterObject, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The command runs on the main connection. A query that only tracks does not count as a write of the session.</summary>
    private static Activity? OnMain(ContextRouting? routing, RouteReason because)
    {
        if (routing is null) return null;
        routing.NextOpeningReads = because == RouteReason.TrackingQuery;
        return RouteActivity.IsWanted ? RouteActivity.Start(routing.Source.Cluster.Decide(ReadRequirement.Primary(because))) : null;
    }

    private static bool Verify(NodeConnection node, ContextRouting routing, in RouteDecision decision)
    {
        if (decision is not { IsReplica: true, MustInclude: { } place }) return true;
        node.Open();
        try
        {
            return !routing.Source.Cluster.NeedsCheck(node.DbConnection, decision) || ReadCheck.Passes(node.DbConnection, place);
        }
        finally
        {
            node.Close();
        }
    }

    private static async ValueTask<bool> VerifyAsync(
        NodeConnection node, ContextRouting routing, RouteDecision decision, CancellationToken cancellationToken)
    {
        if (decision is not { IsReplica: true, MustInclude: { } place }) return true;
        await node.OpenAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return !routing.Source.Cluster.NeedsCheck(node.DbConnection, decision)
                || await ReadCheck.PassesAsync(node.DbConnection, place, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await node.CloseAsync().ConfigureAwait(false);
        }
    }

    private static RelationalCommandParameterObject Through(NodeConnection node, in RelationalCommandParameterObject command) =>
        new(node, command.ParameterValues, command.ReaderColumns, command.Context, command.Logger, command.DetailedErrorsEnabled, command.CommandSource);
}

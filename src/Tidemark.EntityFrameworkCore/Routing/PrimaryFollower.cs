using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Keeps a context's main connection on the current primary, because a context may live, or stay in a pool, across a failover. Associates
/// the connection with the session that the context reads in, regardless of who opens it. Leaves alone the connections that the user gave
/// to the context.
/// </summary>
internal sealed class PrimaryFollower : DbConnectionInterceptor
{
    public static PrimaryFollower Instance { get; } = new();

    public override DbConnection ConnectionCreated(ConnectionCreatedEventData eventData, DbConnection result)
    {
        if (Lease(result) is { } lease && OptionalRouting.Of(eventData.Context) is { } routing)
            Attach(lease, (NpgsqlConnection)result, routing);
        return result;
    }

    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
    {
        if (Lease(connection) is not { } lease || OptionalRouting.Of(eventData.Context) is not { } routing) return result;
        routing.Source.Cluster.Monitor.FirstRound();
        Follow(lease, routing, eventData.Context!);
        return result;
    }

    public override async ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (Lease(connection) is not { } lease || OptionalRouting.Of(eventData.Context) is not { } routing) return result;
        await routing.Source.Cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        Follow(lease, routing, eventData.Context!);
        return result;
    }

    public override void ConnectionFailed(DbConnection connection, ConnectionErrorEventData eventData) => Explain(connection, eventData);

    public override Task ConnectionFailedAsync(
        DbConnection connection, ConnectionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Explain(connection, eventData);
        return Task.CompletedTask;
    }

    public override void ConnectionClosed(DbConnection connection, ConnectionEndEventData eventData) =>
        ForgetDropped(connection, eventData);

    public override Task ConnectionClosedAsync(DbConnection connection, ConnectionEndEventData eventData)
    {
        ForgetDropped(connection, eventData);
        return Task.CompletedTask;
    }

    private static WriteLease? Lease(DbConnection connection) => connection is NpgsqlConnection npgsql ? WriteLease.Of(npgsql) : null;

    private static void Follow(WriteLease lease, ContextRouting routing, DbContext context)
    {
        var decision = routing.Source.DecideWrite(routing.Session);
        if (decision.NodeIndex != lease.NodeIndex)
        {
            var moved = routing.Source.Cluster.CreateWrite(decision.NodeIndex, session: null);
            context.GetService<IRelationalConnection>().SetDbConnection(moved, contextOwnsConnection: true);
            lease = WriteLease.Of(moved)!;
            Attach(lease, moved, routing);
        }

        // A connection that the user gave to the context is opened for the context here.
        lease.FindSession = routing.State.FindSession;
        lease.IsOpenedBySave = routing.State.IsSaving;
    }

    private static void Attach(WriteLease lease, NpgsqlConnection connection, ContextRouting routing)
    {
        lease.FindSession = routing.State.FindSession;
        routing.State.Connected(connection);
    }

    /// <summary>Explains why the main connection cannot be opened: no primary is available, and what was found instead.</summary>
    private static void Explain(DbConnection connection, ConnectionErrorEventData eventData)
    {
        if (Lease(connection) is not { } lease || OptionalRouting.Of(eventData.Context) is not { } routing) return;
        if (routing.Source.NoPrimary(lease.NodeIndex, eventData.Exception) is { } explained) throw explained;
    }

    /// <summary>
    /// Clears the pools after the provider created or dropped the database over its own connection to another database. The server ends the
    /// connections to a dropped database, and the pools must not hand them out again.
    /// </summary>
    private static void ForgetDropped(DbConnection connection, ConnectionEndEventData eventData)
    {
        if (Lease(connection) is not null || OptionalRouting.Of(eventData.Context) is not { } routing) return;
        var isProviders = connection.Database != routing.Source.Database && connection != eventData.Context!.Database.GetDbConnection();
        if (isProviders) routing.Source.Cluster.Clear();
    }
}

using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Keeps a context's main connection on the primary of the moment: a context may live, or lie in a pool, across a failover. Ties the
/// connection to the session
/// that the context reads in, whoever opens it. Leaves connections alone that the user gave to the context.
/// </summary>
internal sealed class PrimaryFollower : DbConnectionInterceptor
{
    public static PrimaryFollower Instance { get; } = new();

    public override DbConnection ConnectionCreated(ConnectionCreatedEventData eventData, DbConnection result)
    {
        if (Lease(result) is { } lease && ContextRouting.Of(eventData.Context) is { } routing)
            Attach(lease, (NpgsqlConnection)result, routing);
        return result;
    }

    public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result)
    {
        if (Lease(connection) is not { } lease || ContextRouting.Of(eventData.Context) is not { } routing) return result;
        routing.Source.Cluster.Monitor.FirstRound();
        Follow(lease, routing, eventData.Context!);
        return result;
    }

    public override async ValueTask<InterceptionResult> ConnectionOpeningAsync(
        DbConnection connection, ConnectionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (Lease(connection) is not { } lease || ContextRouting.Of(eventData.Context) is not { } routing) return result;
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

        // A connection that the user gave to the context is opened for it here.
        lease.FindSession = routing.FindSession;
        lease.IsOpenedBySave = routing.IsSaving;
    }

    private static void Attach(WriteLease lease, NpgsqlConnection connection, ContextRouting routing)
    {
        lease.FindSession = routing.FindSession;
        routing.Main = connection;
    }

    /// <summary>A main connection that cannot be opened is told as what it means: there is no primary, and what was seen instead.</summary>
    private static void Explain(DbConnection connection, ConnectionErrorEventData eventData)
    {
        if (Lease(connection) is not { } lease || ContextRouting.Of(eventData.Context) is not { } routing) return;
        if (routing.Source.NoPrimary(lease.NodeIndex, eventData.Exception) is { } explained) throw explained;
    }

    /// <summary>
    /// The provider creates and drops the database over a connection of its own to another one. The server ends the connections to a
    /// database that
    /// is dropped; the pools must not hand them out again.
    /// </summary>
    private static void ForgetDropped(DbConnection connection, ConnectionEndEventData eventData)
    {
        if (Lease(connection) is not null || ContextRouting.Of(eventData.Context) is not { } routing) return;
        var isProviders = connection.Database != routing.Source.Database && connection != eventData.Context!.Database.GetDbConnection();
        if (isProviders) routing.Source.Cluster.Clear();
    }
}

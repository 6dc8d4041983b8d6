using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// Operations of a simulated user through less common entry points of the library: a named node, a transaction that is rolled back, writes
/// that the session ignores, writes that bypass the library, and writes that other sessions require by a key.
/// </summary>
internal sealed class RareOperations(SimulatedCluster cluster, SimulatedApplication application, ClientJournal journal,
    ConsistencySession session)
{
    private const int Keys = 3;

    private TidemarkDataSource Source => application.Source;

    /// <summary>Runs one of these operations.</summary>
    /// <param name="read">Reads on the node with a name at the level of the session.</param>
    public Task RunAsync(Func<string, Task> read) => cluster.Random.Next(5) switch
    {
        0 => read(cluster.Nodes[cluster.Random.Next(cluster.Nodes.Count)].Name),
        1 => WriteIgnoredAsync(),
        2 => WriteElsewhereAsync(),
        3 => WriteAndNoteAsync(),
        _ => RequireAsync(),
    };

    /// <summary>A write that the session does not follow counts as the write of another session.</summary>
    private async Task WriteIgnoredAsync()
    {
        using var ignoring = session.IgnoreWrites();
        await WriteAsync(cluster.History.AddClient(), session).ConfigureAwait(false);
    }

    /// <summary>Another library writes without this one, and the application reports the write afterwards.</summary>
    private async Task WriteElsewhereAsync()
    {
        if (await WriteAsync(journal.User, leased: null).ConfigureAwait(false) is not { } written) return;
        session.MarkWritten();
        journal.Wrote(written);
    }

    /// <summary>
    /// A write is recorded under a key. In the history, a separate user makes it. A session that requires the key is bound by the write and
    /// not by what the writer has observed. The writer is bound by it as well.
    /// </summary>
    private async Task WriteAndNoteAsync()
    {
        var writer = cluster.History.AddClient();
        if (await WriteAsync(writer, session).ConfigureAwait(false) is not { } written) return;
        cluster.History.HandOver(writer, journal.User, cluster.Moment(), cluster.Moment());
        journal.Wrote(written);
        var key = AnyKey();
        using var reports = LossListener.Listen(journal.Lost);
        try
        {
            await Source.NoteWriteAsync(key).ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            // No primary can report the position, so the key remains unchanged.
            return;
        }

        application.Noted.Add(new WriteUnderKey(key, writer, cluster.Moment(), written.Branch, written.Commit.End));
    }

    private async Task RequireAsync()
    {
        var key = AnyKey();
        var noted = application.Noted.Where(n => n.Key == key).ToArray();
        using var reports = LossListener.Listen(journal.Lost);
        await Source.RequireAsync(key).ConfigureAwait(false);

        // A key does not report what a failover lost before it was required. docs/guarantees.md names this limit.
        foreach (var write in noted.Where(n => cluster.Current.Contains(n.Branch, n.End)))
            journal.Receive(new GivenToken(key, write.Writer, write.NotedAt, new TruePosition().After(write.Branch, write.End, cluster)));
    }

    private string AnyKey() => $"key {cluster.Random.Next(Keys)}";

    /// <summary>Writes on the primary. Returns <see langword="null"/> if the write failed or its outcome is unknown.</summary>
    /// <param name="user">The user of the history that writes.</param>
    /// <param name="leased">
    /// The session that follows the connection, or <see langword="null"/> if the library does not see the write.
    /// </param>
    private async Task<WriteAnswer?> WriteAsync(int user, ConsistencySession? leased)
    {
        var (key, value, start) = (cluster.Random.Next(cluster.Shape.Keys), cluster.NextValue(), cluster.Moment());
        SimulatedConnection? connection = null;
        WriteLease? lease = null;
        try
        {
            var index = leased is null ? cluster.Primary is { } primary
                ? cluster.NodeOf(primary).Index : -1 : Source.DecideWrite(session: null).NodeIndex;
            if (index < 0) return null;
            connection = await application.OpenAsync(index).ConfigureAwait(false);
            if (leased is not null)
            {
                lease = Source.Cluster.LeaseWrite(index, leased);
                lease.Opened(isStandby: !connection.Server.IsPrimary, connection.Backend);
            }
            else if (!connection.Server.IsPrimary)
            {
                return null;
            }
        }
        catch (NpgsqlException)
        {
            cluster.Counts.FailedWrites++;
            if (connection is not null) application.Return(connection);
            return null;
        }

        try
        {
            var server = connection.Server;
            var answer =
                await connection.QueryAsync(() => SimulatedStatements.WriteAsync(cluster, server, key, value, isAsynchronous: false))
                .ConfigureAwait(false);
            if (lease is not null)
                lease.Committed(new PiggybackedPosition(new WalPosition(answer.Timeline, cluster.Lsn(answer.Inserted)), answer.Epoch));
            journal.Acknowledged(user, answer, value, start);
            return answer;
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException)
        {
            cluster.Counts.FailedWrites++;
            journal.InDoubt(user, key, value, start);
            if (e is ApplicationEndedException) throw;

            // The write that bypassed the library was sent and not acknowledged. The application does not know whether to report it, and
            // reports it.
            if (lease is null) session.MarkWritten();
            return null;
        }
        finally
        {
            lease?.Closed(connection.IsBroken);
            application.Return(connection);
        }
    }
}

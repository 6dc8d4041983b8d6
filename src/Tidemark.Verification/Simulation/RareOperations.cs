using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// Operations of a simulated user through the library's less common entry points: a named node, a transaction that is rolled back, writes
/// that the session ignores or that went past the library, and writes that other sessions require by a key.
/// </summary>
internal sealed class RareOperations(SimulatedCluster cluster, SimulatedApplication application, ClientJournal journal,
    ConsistencySession session)
{
    private const int Keys = 3;

    private TidemarkDataSource Source => application.Source;

    /// <summary>Does one of them.</summary>
    /// <param name="read">Reads at the session's level on the node of this name.</param>
    public Task RunAsync(Func<string, Task> read) => cluster.Random.Next(5) switch
    {
        0 => read(cluster.Nodes[cluster.Random.Next(cluster.Nodes.Count)].Name),
        1 => WriteIgnoredAsync(),
        2 => WriteElsewhereAsync(),
        3 => WriteAndNoteAsync(),
        _ => RequireAsync(),
    };

    /// <summary>A write that the session does not follow counts as somebody else's.</summary>
    private async Task WriteIgnoredAsync()
    {
        using var ignoring = session.IgnoreWrites();
        await WriteAsync(cluster.History.AddClient(), session).ConfigureAwait(false);
    }

    /// <summary>Another library writes past this one, and the application says so afterwards.</summary>
    private async Task WriteElsewhereAsync()
    {
        if (await WriteAsync(journal.User, leased: null).ConfigureAwait(false) is not { } written) return;
        session.MarkWritten();
        journal.Wrote(written);
    }

    /// <summary>
    /// A write is noted under a key. A user of its own makes it in the history: who requires the key is bound by the write, and not by what
    /// the writer has seen. The writer is bound by it too.
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
            // There is no primary to ask for the position: the key stays as it was.
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

        // A key does not report what a failover has lost before it was required: docs/guarantees.md names that limit.
        foreach (var write in noted.Where(n => cluster.Current.Contains(n.Branch, n.End)))
            journal.Receive(new GivenToken(key, write.Writer, write.NotedAt, new TruePosition().After(write.Branch, write.End, cluster)));
    }

    private string AnyKey() => $"key {cluster.Random.Next(Keys)}";

    /// <summary>Writes on the primary; <see langword="null"/>: it failed, or it is not known whether it happened.</summary>
    /// <param name="user">The user who writes, in the history.</param>
    /// <param name="leased">The session that follows the connection; <see langword="null"/>: the library knows nothing of it.</param>
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
            var answer = await connection.AskAsync(() => SimulatedStatements.WriteAsync(cluster, server, key, value, isAsynchronous: false))
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

            // What went past the library was sent and not acknowledged: the application does not know whether to say so, and says so.
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

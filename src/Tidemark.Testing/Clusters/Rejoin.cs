namespace Tidemark.Testing;

/// <summary>
/// Makes a node whose history may differ from the primary's a replica again. Tries the cheapest method first. A method has succeeded
/// only when the node streams the primary's current timeline.
/// </summary>
internal sealed class Rejoin(LocalNode node, NodeFolder folder, LocalNode primary, ClusterLauncher launcher)
{
    // A node that can stream does so immediately; a node that cannot stream retries forever.
    private static readonly TimeSpan TrialTime = TimeSpan.FromSeconds(3);

    private readonly List<string> _obstacles = [];

    public async Task<RejoinOutcome> RunAsync(CancellationToken cancellationToken)
    {
        await launcher.FindBinariesAsync(cancellationToken).ConfigureAwait(false);
        await node.StopAsync(StopMode.Fast, cancellationToken).ConfigureAwait(false);
        node.RefuseTakenPort();     // otherwise each method fails to start the server, and the last one replaces its data
        await primary.Replication.ReserveSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        var method = await TryFollowAsync(cancellationToken).ConfigureAwait(false)
            ? RejoinMethod.Follow
            : await ReplaceAsync(cancellationToken).ConfigureAwait(false);
        await primary.AcceptFollowerAsync(node, cancellationToken).ConfigureAwait(false);

        // The slots of its former followers retain WAL that no node needs.
        await node.QueryAsync<long>(
            "SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots WHERE NOT active", cancellationToken)
            .ConfigureAwait(false);
        return new RejoinOutcome(method, _obstacles);
    }

    // Only for a standby: an old primary has ended its timeline with a WAL record of its own, and would not start as a standby.
    private async Task<bool> TryFollowAsync(CancellationToken cancellationToken) =>
        !node.IsHalfReplaced && File.Exists(folder.StandbySignal)
        && await TryStreamAsync("following", cancellationToken).ConfigureAwait(false);

    private async Task<RejoinMethod> ReplaceAsync(CancellationToken cancellationToken)
    {
        // During the replacement the data directory may lack standby.signal. The state records the replacement first, so that after an
        // interruption the node is not mistaken for a promoted one.
        var canBeRewound = CanBeRewound();
        node.BeginReplacement();
        return canBeRewound && await TryRewindAsync(cancellationToken).ConfigureAwait(false)
            ? RejoinMethod.Rewind
            : await CopyAsync(cancellationToken).ConfigureAwait(false);
    }

    // Data that is half rewound cannot be rewound again.
    private bool CanBeRewound()
    {
        var obstacle = !Directory.Exists(folder.Data) ? $"{folder.Data} does not exist"
            : node.IsHalfReplaced ? "an earlier rejoin did not finish"
            : null;
        if (obstacle is not null)
            _obstacles.Add(obstacle);
        return obstacle is null;
    }

    private async Task<bool> TryRewindAsync(CancellationToken cancellationToken)
    {
        if (launcher.Binaries.FindProgram("pg_rewind") is not { } program)
        {
            _obstacles.Add($"pg_rewind is not in {launcher.Binaries.Folder}");
            return false;
        }

        // pg_rewind starts the server in single-user mode to recover it after a crash. It reads the primary's timeline from the primary's
        // last checkpoint, hence the CHECKPOINT.
        folder.ForgetGoneServer();
        await primary.QueryAsync<object>("CHECKPOINT", cancellationToken).ConfigureAwait(false);
        await launcher.GiveAsync(folder, cancellationToken).ConfigureAwait(false);
        var source = $"host=127.0.0.1 port={primary.Port} user=postgres dbname=postgres";
        string[] command = [program, "--no-sync", "--target-pgdata", folder.Data, "--source-server", source];
        var outcome = await launcher.RunAsync(command, cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
        {
            _obstacles.Add($"pg_rewind failed: {ErrorIn(outcome.Text)}");
            return false;
        }

        return await TryStreamAsync("rewinding", cancellationToken).ConfigureAwait(false);
    }

    private async Task<RejoinMethod> CopyAsync(CancellationToken cancellationToken)
    {
        node.BeginReplacement();

        // An old slot does not necessarily retain the WAL that the copy needs.
        await primary.Replication.DropSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        await primary.Replication.ReserveSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        await launcher.CopyAsync(primary, folder, cancellationToken).ConfigureAwait(false);
        if (!await TryStreamAsync("copying", cancellationToken).ConfigureAwait(false))
            throw new LocalClusterException($"{node.Name} does not stream from {primary.Name}. Every method failed: "
                + $"{string.Join("; ", _obstacles)}.\n{node.QuoteLog()}");
        return RejoinMethod.Copy;
    }

    private async Task<bool> TryStreamAsync(string method, CancellationToken cancellationToken)
    {
        await launcher.MakeStandbyAsync(folder, cancellationToken).ConfigureAwait(false);
        await node.BeginToFollowAsync(primary, cancellationToken).ConfigureAwait(false);
        try
        {
            await node.StartAsync(cancellationToken).ConfigureAwait(false);
            if (await primary.HasFollowerAsync(node, TrialTime, cancellationToken).ConfigureAwait(false))
                return true;
            _obstacles.Add($"{method} was not enough: {ReplicationError()}");
        }
        catch (LocalClusterException)
        {
            _obstacles.Add($"{method} was not enough: {ReplicationError()}");
        }

        await node.StopAsync(StopMode.Fast, cancellationToken).ConfigureAwait(false);
        return false;
    }

    private string ReplicationError() => node.ReadLog(50)
        .LastOrDefault(line => line.Contains("FATAL: ", StringComparison.Ordinal) || line.Contains("forked off", StringComparison.Ordinal))
        ?? "the node did not stream";

    // The server that pg_rewind starts logs the reason first; pg_rewind then only names the command that failed.
    private static string ErrorIn(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return Array.Find(lines, line => line.Contains("FATAL:", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? "it wrote no error";
    }
}

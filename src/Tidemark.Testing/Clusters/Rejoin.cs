namespace Tidemark.Testing;

/// <summary>
/// Makes a replica of a node whose history may have parted from the primary's. Tries the cheapest way first, and believes none before the
/// primary says that the node streams.
/// </summary>
internal sealed class Rejoin(LocalNode node, NodeFolder folder, LocalNode primary, ClusterLauncher launcher)
{
    // A node that can stream does so at once; one that cannot tries for ever.
    private static readonly TimeSpan TrialTime = TimeSpan.FromSeconds(3);

    private readonly List<string> _obstacles = [];

    public async Task<RejoinOutcome> RunAsync(CancellationToken cancellationToken)
    {
        await launcher.FindBinariesAsync(cancellationToken).ConfigureAwait(false);
        await node.StopAsync(StopMode.Fast, cancellationToken).ConfigureAwait(false);
        node.RefuseTakenPort();     // or it would start in no way, and lose its data to the last of them
        await primary.Replication.ReserveSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        var method = await TryFollowAsync(cancellationToken).ConfigureAwait(false)
            ? RejoinMethod.Follow
            : await ReplaceAsync(cancellationToken).ConfigureAwait(false);
        await primary.AcceptFollowerAsync(node, cancellationToken).ConfigureAwait(false);

        // Slots of those that followed it hold WAL for nobody.
        await node.AskAsync<long>("SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots WHERE NOT active",
            cancellationToken)
            .ConfigureAwait(false);
        return new RejoinOutcome(method, _obstacles);
    }

    // Only a standby: a primary that was replaced has ended its timeline with a record of its own, and would not start as a standby.
    private async Task<bool> TryFollowAsync(CancellationToken cancellationToken) =>
        !node.IsHalfReplaced && File.Exists(folder.StandbySignal)
            && await TryStreamAsync("following", cancellationToken).ConfigureAwait(false);

    private async Task<RejoinMethod> ReplaceAsync(CancellationToken cancellationToken)
    {
        // Its files are no longer those of a standby, and not yet those of another: if this is cut short, nobody shall take it for a node
        // that was promoted.
        var canBeRewound = CanBeRewound();
        node.BeginReplacement();
        return canBeRewound && await TryRewindAsync(cancellationToken).ConfigureAwait(false)
            ? RejoinMethod.Rewind
            : await CopyAsync(cancellationToken).ConfigureAwait(false);
    }

    // What a rewinding left half done cannot be rewound again.
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
            _obstacles.Add($"there is no pg_rewind in {launcher.Binaries.Folder}");
            return false;
        }

        // pg_rewind runs the server alone, to recover it from its crash; and it learns the primary's timeline from its last checkpoint.
        folder.ForgetGoneServer();
        await primary.AskAsync<object>("CHECKPOINT", cancellationToken).ConfigureAwait(false);
        await launcher.GiveAsync(folder, cancellationToken).ConfigureAwait(false);
        string[] command =
            [program, "--no-sync", "--target-pgdata", folder.Data, "--source-server",
            $"host=127.0.0.1 port={primary.Port} user=postgres dbname=postgres"];
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

        // What an old slot has kept is not what the copy will need.
        await primary.Replication.DropSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        await primary.Replication.ReserveSlotAsync(node.Name, cancellationToken).ConfigureAwait(false);
        await launcher.CopyAsync(primary, folder, cancellationToken).ConfigureAwait(false);
        if (!await TryStreamAsync("copying", cancellationToken).ConfigureAwait(false))
            throw new LocalClusterException(
                $"{node.Name} does not stream from {primary.Name}, by no way: {string.Join("; ", _obstacles)}.\n{node.QuoteLog()}");
        return RejoinMethod.Copy;
    }

    private async Task<bool> TryStreamAsync(string way, CancellationToken cancellationToken)
    {
        await launcher.MakeStandbyAsync(folder, cancellationToken).ConfigureAwait(false);
        await node.BeginToFollowAsync(primary, cancellationToken).ConfigureAwait(false);
        try
        {
            await node.StartAsync(cancellationToken).ConfigureAwait(false);
            if (await primary.HasFollowerAsync(node, TrialTime, cancellationToken).ConfigureAwait(false))
                return true;
            _obstacles.Add($"{way} was not enough: {ReplicationError()}");
        }
        catch (LocalClusterException)
        {
            _obstacles.Add($"{way} was not enough: {ReplicationError()}");
        }

        await node.StopAsync(StopMode.Fast, cancellationToken).ConfigureAwait(false);
        return false;
    }

    private string ReplicationError() => node.ReadLog(50)
        .LastOrDefault(line => line.Contains("FATAL: ", StringComparison.Ordinal) || line.Contains("forked off", StringComparison.Ordinal))
        ?? "it did not stream";

    // The server that it runs says why, before it says which command that was.
    private static string ErrorIn(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return Array.Find(lines, line => line.Contains("FATAL:", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? "it said nothing";
    }
}

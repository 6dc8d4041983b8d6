using System.CommandLine;
using System.Globalization;
using Tidemark.Cli.Confirm;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark confirm</c>: the state of replication, and a row that is written and read back on each replica.</summary>
internal sealed class ConfirmCommand : TargetCommand
{
    private readonly Option<TimeSpan> _timeout =
        Choices.Time("--timeout", "Maximum time to wait for each replica to show the row.", TimeSpan.FromSeconds(10),
        least: TimeSpan.FromMilliseconds(100), most: TimeSpan.FromHours(1));
    private readonly Option<bool> _json = JsonOption();

    public ConfirmCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "confirm",
            "Confirm that replication works. Shows pg_stat_replication, pg_replication_slots and each replica's WAL receiver. Writes a "
                + "row on the primary, in a temporary schema, and reads it back on each replica. Exit code 1 if replication does not "
                + "work on every node.",
            "tidemark confirm", "tidemark confirm --timeout 1min --json")
    {
        Add(_timeout);
        Add(_json);
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var (primary, replicas) = await RolesAsync(target, cancellationToken);
        var patience = result.GetValue(_timeout);
        var reader = new ReplicationReader(patience);
        var receivers = Task.WhenAll(replicas.Select(replica => reader.ReceiverAsync(replica, cancellationToken)));
        var rows = await new RowOperation(primary, patience).RunAsync(replicas, cancellationToken);
        var senders = await reader.SendersAsync(primary, cancellationToken);
        var slots = await reader.SlotsAsync(primary, cancellationToken);
        var works = replicas.Count > 0 && replicas.Count == target.Nodes.Count - 1 && rows.All(row => row.Milliseconds is not null);
        var record = new ConfirmRecord(works, primary.Name, senders, slots, await receivers, rows, reader.Unseen);
        if (result.GetValue(_json)) Json.Write(Terminal, record);
        else Write(record, target);
        return works ? ExitCode.Success : ExitCode.Finding;
    }

    private static async Task<(TargetNode Primary, IReadOnlyList<TargetNode> Replicas)> RolesAsync(ClusterTarget target,
        CancellationToken cancellationToken)
    {
        await using var source = await target.OpenAsync(cancellationToken);
        var snapshot = source.Cluster.Monitor.Snapshot;
        if (snapshot.Primary is not { } primary) throw target.HasNoPrimary(source, "to write the row on");
        return (target[primary.Name], [.. snapshot.Nodes.Where(node => node.Role == NodeRole.Replica).Select(node => target[node.Name])]);
    }

    private void Write(ConfirmRecord record, ClusterTarget target)
    {
        Section($"Standbys of {record.Primary} (pg_stat_replication)", record.Senders, "No standby is connected.", new Table<SenderRecord>(
            new("Name", sender => sender.ApplicationName, Tone: _ => Tone.Strong), new("Address", sender => sender.Client ?? "-"),
            new("State", sender => sender.State ?? "-", Tone: sender => sender.State == "streaming" ? Tone.Good : Tone.Bad),
            new("Synchronous", sender => sender.SyncState ?? "-"), new("Lag", sender => Words.Bytes(sender.LagBytes), IsNumber: true),
            new("Replay lag", sender => sender.ReplayLagMs is { } ms ? Words.Duration(ms) : "-", IsNumber: true)));
        Section($"Slots of {record.Primary} (pg_replication_slots)", record.Slots,
            "No slots. A standby that is down for too long must be rebuilt.", new Table<SlotRecord>(
            new("Slot", slot => slot.Name, Tone: _ => Tone.Strong), new("Type", slot => slot.Type),
                new("Active", slot => slot.IsActive ? "yes" : "no", Tone: slot => slot.IsActive ? Tone.Good : Tone.Bad),
            new("WAL", slot => slot.WalStatus ?? "-"), new("Retains", slot => Words.Bytes(slot.RetainedBytes), IsNumber: true)));
        Section("Receivers of the replicas (pg_stat_wal_receiver)", record.Receivers,
            "The cluster has no replicas.", new Table<ReceiverRecord>(
            new("Node", receiver => receiver.Node, Tone: _ => Tone.Strong),
                new("State", receiver => receiver.Status ?? "none", Tone: receiver => receiver.Status == "streaming"
                ? Tone.Good : Tone.Bad),
            new("From", receiver => receiver.From ?? "-"), new("Slot", receiver => receiver.Slot ?? "-"),
            new("Timeline", receiver => receiver.Timeline?.ToString(CultureInfo.InvariantCulture) ?? "-", IsNumber: true)));
        Section($"A row written on {record.Primary}", record.Rows, "No replica could be queried.", new Table<RowRecord>(
            new("Read on", row => row.Node, Tone: _ => Tone.Strong),
            new("After", row => row.Milliseconds is { } ms ? Words.Duration(ms) : row.Problem ?? "-", Tone: row => row.Milliseconds is null
                ? Tone.Bad : Tone.Good)));
        foreach (var unseen in record.Unseen) Terminal.Line($"Not available: {unseen}", Tone.Strong);
        var missing = target.Nodes.Select(node => node.Name).Except(record.Rows.Select(row => row.Node))
            .Where(name => name != record.Primary).ToList();
        if (record.Works)
            Terminal.Line(
            $"Replication works: {record.Rows.Count} of {record.Rows.Count} {(record.Rows.Count == 1 ? "replica has" : "replicas have")} "
                + $"shown the row.", Tone.Good);
        else if (record.Rows.Count == 0 && missing.Count == 0)
            Terminal.Line("There is nothing to confirm: the cluster has no replicas.", Tone.Bad);
        else Terminal.Line(
            $"Replication does not work everywhere: "
                + $"{string.Join(", ", record.Rows.Where(row => row.Milliseconds is null).Select(row => row.Node)
                    .Concat(missing.Select(name => $"{name} (not a replica, or not "
                        + $"reachable)")))}. Run 'tidemark doctor' to find the cause.",
            Tone.Bad);
    }

    private void Section<T>(string title, IReadOnlyList<T> records, string empty, Table<T> table)
    {
        Terminal.Line(title, Tone.Quiet);
        if (records.Count == 0) Terminal.Line(empty);
        else table.Write(Terminal, records);
        Terminal.Line();
    }
}

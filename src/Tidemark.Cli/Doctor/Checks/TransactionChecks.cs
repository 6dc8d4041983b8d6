using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks for transactions that keep vacuum from removing old row versions.</summary>
internal static class TransactionChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("idle-in-transaction", Of.All, [Section.IdleTransactions], IdleInTransaction),
        new("prepared-transaction", Of.All, [Section.PreparedTransactions], OldPreparedTransaction),
    ];

    private static IEnumerable<Finding> IdleInTransaction(ClusterFacts cluster)
    {
        var old = cluster.Members.SelectMany(node => (node.IdleTransactions ?? [])
            .Where(idle => idle.Seconds > cluster.Bounds.MaxIdleTransaction.TotalSeconds).Select(idle => (Node: node.Name, Idle: idle)))
            .ToList();
        if (old.Count == 0) yield break;
        yield return new Finding(
            Severity.Warning, [.. old.Select(idle => idle.Node).Distinct()],
            [.. old.Select(idle => $"{idle.Node}: process {idle.Idle.Pid} of role {idle.Idle.Role}, \"{idle.Idle.Application}\", idle "
                + $"in transaction for {Seconds(idle.Idle.Seconds)}")],
            "It may hold locks, and it keeps vacuum from removing dead rows; with hot_standby_feedback, a transaction on a replica does "
                + "too.",
            [.. old.Select(idle => $"SELECT pg_terminate_backend({idle.Idle.Pid});   -- on {idle.Node}"),
                "ALTER SYSTEM SET idle_in_transaction_session_timeout = '5min';", "SELECT pg_reload_conf();"]);
    }

    private static IEnumerable<Finding> OldPreparedTransaction(ClusterFacts cluster)
    {
        // A replica shows the prepared transactions of its primary.
        var nodes = cluster.Members.Where(node => node.IsReplica == false)
            .SelectMany(node => (node.PreparedTransactions ?? []).Where(one => one.Seconds > cluster.Bounds.MaxIdleTransaction.TotalSeconds)
            .Select(one => (Node: node.Name, Transaction: one))).ToList();
        if (nodes.Count == 0) yield break;
        yield return new Finding(
            Severity.Warning, [.. nodes.Select(one => one.Node).Distinct()],
            [.. nodes.Select(one =>
                $"{one.Node}: '{one.Transaction.Gid}' of role {one.Transaction.Owner}, prepared {Seconds(one.Transaction.Seconds)} ago")],
            "It keeps its locks across restarts and failovers, and vacuum cannot remove rows that died since.",
            [.. nodes.Select(one => $"ROLLBACK PREPARED '{one.Transaction.Gid.Replace("'", "''", StringComparison.Ordinal)}';   -- or "
                + "COMMIT PREPARED, depending on the decision of its coordinator")]);
    }

    private static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:N0} s");
}

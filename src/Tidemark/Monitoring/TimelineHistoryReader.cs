using System.Globalization;
using System.Runtime.CompilerServices;
using Npgsql.Replication;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Reads where a timeline left its ancestors, from the server's own history file. Needs the REPLICATION right; without it, probes bracket
/// the forks.
/// </summary>
internal static class TimelineHistoryReader
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The forks that lead to the timeline; <see langword="null"/> when the server does not tell, or not in time. Never faults.
    /// </summary>
    public static async Task<IReadOnlyList<Fork>?> ReadAsync(string connectionString, uint timeline)
    {
        try
        {
            using var impatience = new CancellationTokenSource(Patience);
            var cancellationToken = impatience.Token;
            var connection = new PhysicalReplicationConnection(connectionString);
            await using (connection.ConfigureAwait(false))
            {
                await connection.Open(cancellationToken).ConfigureAwait(false);
                var row = await ReadSingleRow(connection, $"TIMELINE_HISTORY {timeline}", cancellationToken).ConfigureAwait(false);
                return Parse((string)row[1], timeline);
            }
        }
#pragma warning disable CA1031 // Where a timeline was left is worth knowing, not worth a probe: whatever goes wrong here, the node has answered.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    // Npgsql's own TimelineHistory takes the content for bytea, which it was before PostgreSQL 15; since then it is text, and that method
    // throws.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "ReadSingleRow")]
    private static extern Task<object[]> ReadSingleRow(ReplicationConnection connection, string command,
        CancellationToken cancellationToken);

    /// <summary>Reads lines such as <c>1  0/3000158  no recovery target specified</c>: the ancestor, and where it was left.</summary>
    internal static IReadOnlyList<Fork> Parse(string file, uint timeline)
    {
        var left = new List<(uint Timeline, NpgsqlLogSequenceNumber At)>();
        foreach (var line in file.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var fields = line.Split((char[]?)null, 3, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 2 && uint.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out var parent)
                && NpgsqlLogSequenceNumber.TryParse(fields[1], out var at))
            {
                left.Add((parent, at));
            }
        }

        // Timelines only grow. A file that says otherwise is none, and a chain made of it could be walked for ever.
        var forks = left.Select((l, i) => new Fork(l.Timeline, i + 1 < left.Count ? left[i + 1].Timeline : timeline, l.At, l.At));
        return [.. forks.Where(f => f.Parent < f.Child)];
    }
}

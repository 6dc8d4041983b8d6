using System.Globalization;
using System.Runtime.CompilerServices;
using Npgsql.Replication;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Reads where a timeline left its ancestors, from the history file of the server. The role needs REPLICATION. Without it, probes narrow
/// the forks to a range.
/// </summary>
internal static class TimelineHistoryReader
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Returns the forks that lead to the timeline, or <see langword="null"/> if the server does not return them in time or at all. Never
    /// faults.
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
#pragma warning disable CA1031 // The history is optional. A failure to read it must not fail the probe, which the node has answered.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    // Npgsql's TimelineHistory method expects the content as bytea. Since PostgreSQL 15 it is text, and the method throws.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "ReadSingleRow")]
    private static extern Task<object[]> ReadSingleRow(ReplicationConnection connection, string command,
        CancellationToken cancellationToken);

    /// <summary>Parses lines such as <c>1  0/3000158  no recovery target specified</c>: the ancestor, and where it was left.</summary>
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

        // Timelines only grow. A file that contradicts this is invalid, and walking a chain made from it might not terminate.
        var forks = left.Select((l, i) => new Fork(l.Timeline, i + 1 < left.Count ? left[i + 1].Timeline : timeline, l.At, l.At));
        return [.. forks.Where(f => f.Parent < f.Child)];
    }
}

using System.Globalization;
using System.Text;
using Npgsql;
using Npgsql.Replication;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>Reads where a timeline left its ancestors, from the server's own history file. Needs the REPLICATION right; without it, probes bracket the forks.</summary>
internal static class TimelineHistory
{
    /// <summary>The forks that lead to the timeline; <see langword="null"/> when the server does not tell.</summary>
    public static async Task<IReadOnlyList<Fork>?> ReadAsync(string connectionString, uint timeline, CancellationToken cancellationToken)
    {
        try
        {
            var connection = new PhysicalReplicationConnection(connectionString);
            await using (connection.ConfigureAwait(false))
            {
                await connection.Open(cancellationToken).ConfigureAwait(false);
                var file = await connection.TimelineHistory(timeline, cancellationToken).ConfigureAwait(false);
                return Parse(Encoding.ASCII.GetString(file.Content), timeline);
            }
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or NotSupportedException or OperationCanceledException)
        {
            return null;
        }
    }

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

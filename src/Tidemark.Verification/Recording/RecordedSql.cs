using System.Data.Common;

namespace Tidemark.Verification;

/// <summary>Sends a recorder's two statements with any command.</summary>
internal static class RecordedSql
{
    public static async Task<long> WriteAsync(RegisterTable table, DbCommand command, int key, long value,
        CancellationToken cancellationToken)
    {
        command.CommandText = table.WriteSql;
        Add(command, "val", value);
        Add(command, "k", key);
        var version = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        return version as long? ?? throw new InvalidOperationException($"{table.Name} has no row {key}.");
    }

    public static async Task<RecordedAnswer> ReadAsync(RegisterTable table, DbCommand command, int[] keys,
        CancellationToken cancellationToken)
    {
        command.CommandText = table.ReadSql;
        Add(command, "keys", keys);
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var rows = new List<Observation>(keys.Length);
            var (server, inRecovery) = ("", false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(new Observation(reader.GetInt32(0), reader.GetInt64(1), reader.GetInt64(2)));
                (server, inRecovery) = (reader.GetString(3), reader.GetBoolean(4));
            }

            return rows.Count == keys.Length
                ? new RecordedAnswer(server, !inRecovery, rows)
                : throw new InvalidOperationException(
                    $"{table.Name} on {server} contains only {rows.Count} of the rows {string.Join(", ", keys)}.");
        }
    }

    private static void Add(DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }
}

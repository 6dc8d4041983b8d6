using Npgsql;

namespace Tidemark.Cli;

/// <summary>
/// Checks for publications for all tables. Such a publication also publishes the tables that a command creates. Its subscribers do not have
/// these tables, so they stop at the first row. They cannot skip it, since the row remains in the WAL after the table is dropped.
/// </summary>
internal static class Publications
{
    /// <summary>Throws if the database has such a publication.</summary>
    /// <exception cref="CommandException">The database has a publication for all tables.</exception>
    public static async Task RefuseAllTablesAsync(NpgsqlConnection primary, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT string_agg(pubname, ', ' ORDER BY pubname) FROM pg_publication WHERE "
            + "puballtables", primary);
        if (await command.ExecuteScalarAsync(cancellationToken) is string names)
            throw new CommandException($"the database {primary.Database} has a publication for all tables ({names}). Its subscribers "
                + "would stop at the table that this command creates, since they do not have it. Use another database of the cluster.");
    }
}

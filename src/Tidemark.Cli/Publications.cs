using Npgsql;

namespace Tidemark.Cli;

/// <summary>
/// A publication for all tables publishes those that a command makes for itself, too. Its subscribers have no such table, stop at the first
/// row, and never get past it, since
/// it stays in the WAL when the table is dropped.
/// </summary>
internal static class Publications
{
    /// <summary>Refuses to make tables in a database with such a publication.</summary>
    /// <exception cref="CommandException">There is one.</exception>
    public static async Task RefuseAllTablesAsync(NpgsqlConnection primary, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT string_agg(pubname, ', ' ORDER BY pubname) FROM pg_publication WHERE "
            + "puballtables", primary);
        if (await command.ExecuteScalarAsync(cancellationToken) is string names)
            throw new CommandException($"the database {primary.Database} has a publication for all tables ({names}). Its subscribers "
                + "would stop at a table that is made here and that they do not have. Use another database of the cluster.");
    }
}

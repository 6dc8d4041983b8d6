using Npgsql;

namespace Tidemark.Testing;

/// <summary>
/// Copies the data directory of a running primary as a base backup (<c>pg_backup_start</c>, <c>pg_backup_stop</c>). Does not use
/// <c>pg_basebackup</c>, which some PostgreSQL packages lack. Does not copy WAL: a slot must retain what is written during the copy.
/// </summary>
internal static class BackupCopy
{
    // Runs as the user of the servers, because that user may have put links in the data that only a more privileged user could follow.
    // The script skips what pg_basebackup skips: files that belong to the running server process. It copies pg_control last, so that
    // pg_control is not older than the files it describes.
    private const string Script = """
        cd "$1" || exit 1
        for entry in *; do
            case $entry in
                pg_wal | pg_replslot | pg_dynshmem | pg_notify | pg_serial | pg_snapshots | pg_stat_tmp | pg_subtrans)
                    mkdir -m 700 "$2/$entry" ;;
                postmaster.pid | postmaster.opts | backup_label | tablespace_map) ;;
                *) cp -Rp "$entry" "$2/" || [ "$?" -lt 126 ] || exit 1 ;;
            esac
        done
        cp -p global/pg_control "$2/global/"
        """;

    public static async Task RunAsync(
        NpgsqlConnection connection, string from, string to, ServerUser user, CancellationToken cancellationToken)
    {
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        await RefuseTablespacesAsync(connection, cancellationToken).ConfigureAwait(false);
        using (var start = new NpgsqlCommand("SELECT pg_backup_start('tidemark', true)", connection))
            await start.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        var copied = await ExternalProgram.RunAsync(user.Run(["/bin/sh", "-c", Script, "sh", from, to]), cancellationToken)
            .ConfigureAwait(false);
        if (!copied.Succeeded || copied.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Any(line => !IsHarmless(line)))
            throw new LocalClusterException($"{from} could not be copied to {to} as {user.Name}: {copied.Text}");

        using var stop = new NpgsqlCommand("SELECT labelfile FROM pg_backup_stop(false)", connection);
        var label = (string)(await stop.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        await user.WriteAsync(Path.Combine(to, "backup_label"), label, cancellationToken).ConfigureAwait(false);
    }

    // A file that was dropped during the copy: the WAL records that too. Or pg_internal.init, which every server recreates.
    private static bool IsHarmless(string error) =>
        error.Contains("No such file or directory", StringComparison.Ordinal)
        || error.Contains("pg_internal.init", StringComparison.Ordinal);

    private static async Task RefuseTablespacesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(
            "SELECT string_agg(spcname, ', ') FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')", connection);
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is string names)
            throw new LocalClusterException(
                $"The primary cannot be copied: it has tablespaces ({names}), which two servers on one machine cannot share.");
    }
}

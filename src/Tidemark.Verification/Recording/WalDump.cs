using Tidemark.Testing;
using System.Diagnostics;
using System.Globalization;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>Runs <c>pg_waldump</c> over the files of one timeline in one directory.</summary>
internal static class WalDump
{
    private const string Program = "pg_waldump";

    public static bool IsIn(PostgresBinaries binaries) => Find(binaries) is not null;

    /// <summary>
    /// Adds the records from a position on. The WAL of a running or crashed server ends at an arbitrary point, so the error that
    /// <c>pg_waldump</c> reports there is ignored.
    /// </summary>
    /// <returns>The last error of <c>pg_waldump</c>, such as the reason why it stopped.</returns>
    public static async Task<string> ReadAsync(
        PostgresBinaries binaries, string folder, uint timeline, NpgsqlLogSequenceNumber start, WalDumpText into,
            CancellationToken cancellationToken)
    {
        string[] command =
        [
            Find(binaries)
                ?? throw new HistoryException(
                $"{Program} is missing from the server programs in {binaries.Folder}. It is part of PostgreSQL's server package. "
                + "Without it, read the order of commits from a slot."),
            "--path", folder, "--timeline", timeline.ToString(CultureInfo.InvariantCulture), "--start", start.ToString(),
            "--rmgr", "Transaction", "--rmgr", "LogicalMessage",
        ];
        var description = binaries.Describe(command, user: null);
        (description.RedirectStandardOutput, description.RedirectStandardError) = (true, true);
        using var process = Process.Start(description)!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            while (await process.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line) into.Add(line);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return (await errors.ConfigureAwait(false)).Trim();
        }
        catch (Exception)
        {
            process.Kill();
            throw;
        }
    }

    // Some programs may be linked from another directory, such as /usr/local/bin, but not this one.
    private static string? Find(PostgresBinaries binaries)
    {
        var server = Path.Combine(binaries.Folder, "postgres");
        var home = Path.GetDirectoryName(File.ResolveLinkTarget(server, returnFinalTarget: true)?.FullName ?? server)!;
        return new[] { binaries.Folder, home }.Select(folder => Path.Combine(folder, Program)).FirstOrDefault(File.Exists);
    }
}

using Tidemark.Testing;
using System.Diagnostics;
using System.Globalization;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>Runs <c>pg_waldump</c> over the files of one timeline in one folder.</summary>
internal static class WalDump
{
    private const string Program = "pg_waldump";

    public static bool IsIn(PostgresBinaries binaries) => Find(binaries) is not null;

    /// <summary>
    /// Adds what is there from a position on. The WAL of a running or crashed server just ends somewhere, so what it says then is no error.
    /// </summary>
    /// <returns>What <c>pg_waldump</c> said last, such as why it went no further.</returns>
    public static async Task<string> ReadAsync(
        PostgresBinaries binaries, string folder, uint timeline, NpgsqlLogSequenceNumber start, WalDumpText into,
            CancellationToken cancellationToken)
    {
        string[] command =
        [
            Find(binaries)
                ?? throw new HistoryException(
                $"There is no {Program} beside the servers' programs in {binaries.Folder}. It comes with PostgreSQL's server package; "
                + "without it, read the order of commits from a slot."),
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

    // Some of the programs may be linked to from elsewhere, such as /usr/local/bin, and this one be left out.
    private static string? Find(PostgresBinaries binaries)
    {
        var server = Path.Combine(binaries.Folder, "postgres");
        var home = Path.GetDirectoryName(File.ResolveLinkTarget(server, returnFinalTarget: true)?.FullName ?? server)!;
        return new[] { binaries.Folder, home }.Select(folder => Path.Combine(folder, Program)).FirstOrDefault(File.Exists);
    }
}

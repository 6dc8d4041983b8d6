using System.Diagnostics.CodeAnalysis;
using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Confirm;

/// <summary>
/// Writes a row on the primary, in a temporary schema, and measures the time until each replica shows it. Drops the schema at the end.
/// </summary>
[SuppressMessage("Security", "CA2100", Justification = "The only variable part is the name of the schema, which is generated here from "
    + "letters and digits.")]
internal sealed class RowOperation(TargetNode primary, TimeSpan patience)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    private readonly string _schema = $"tidemark_confirm_{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>Writes the row and returns the result of each replica.</summary>
    /// <exception cref="CommandException">The primary refused the row; the message has the privilege that the role needs.</exception>
    public async Task<IReadOnlyList<RowRecord>> RunAsync(IReadOnlyList<TargetNode> replicas, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(primary.Within(patience));
        await connection.OpenAsync(cancellationToken);
        await Publications.RefuseAllTablesAsync(connection, cancellationToken);
        await MakeAsync(connection, cancellationToken);     // outside the measured time
        try
        {
            var written = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            var readers = replicas.Select(replica => ReadPromptlyAsync(replica, written.Task, cancellationToken)).ToList();
            await RunAsync(connection, $"BEGIN; SET LOCAL synchronous_commit = local; INSERT INTO {_schema}.row VALUES (now()); COMMIT",
                cancellationToken);
            written.SetResult(TimeProvider.System.GetTimestamp());
            return await Task.WhenAll(readers);
        }
        catch (PostgresException e)
        {
            throw Refused(e);
        }
        finally
        {
            await DropAsync();
        }
    }

    // With a local commit, since a missing synchronous standby would block this diagnostic command.
    private async Task MakeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(connection,
                $"BEGIN; SET LOCAL synchronous_commit = local; CREATE SCHEMA {_schema}; CREATE TABLE {_schema}.row (at timestamptz); "
                + "COMMIT", cancellationToken);
        }
        catch (PostgresException e)
        {
            throw Refused(e);
        }
        catch
        {
            // The schema may have been created.
            await DropAsync();
            throw;
        }
    }

    private CommandException Refused(PostgresException refusal)
    {
        using var quoting = new NpgsqlCommandBuilder();
        var remedy = refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege
            && primary.Settings is { Database: { } database, Username: { } role }
            ? $" The command creates a schema for the row: GRANT CREATE ON DATABASE {quoting.QuoteIdentifier(database)} TO "
                + $"{quoting.QuoteIdentifier(role)}."
            : "";
        return new CommandException($"{primary.Name} refused the row: {refusal.MessageText}.{remedy}", refusal);
    }

    // On a separate connection, since the other may be broken or busy.
    private async Task DropAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(primary.Within(patience));
            await connection.OpenAsync(CancellationToken.None);
            await RunAsync(connection, $"BEGIN; SET LOCAL synchronous_commit = local; DROP SCHEMA IF EXISTS {_schema} CASCADE; COMMIT",
                CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            throw new CommandException(
                $"{primary.Name}: the schema of the row could not be dropped: {NodeProbe.Describe(e)}. "
                + $"Run: DROP SCHEMA {_schema} CASCADE;", e);
        }
    }

    // An unresponsive server does not respond to the driver's cancel requests either.
    private async Task<RowRecord> ReadPromptlyAsync(TargetNode replica, Task<long> written, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(replica, written, cancellationToken).WaitAsync(patience + Grace, cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            return new RowRecord(replica.Name, null, e is TimeoutException ? TooLate : NodeProbe.Describe(e));
        }
    }

    private async Task<RowRecord> ReadAsync(TargetNode replica, Task<long> written, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        await using var connection = new NpgsqlConnection(replica.Within(patience));
        await connection.OpenAsync(cancellationToken);
        var hasTable = false;
        do
        {
            hasTable = hasTable || await QueryAsync(connection, $"SELECT to_regclass('{_schema}.row') IS NOT NULL", cancellationToken);
            if (hasTable && await QueryAsync(connection, $"SELECT EXISTS (SELECT FROM {_schema}.row)", cancellationToken))
                return new RowRecord(replica.Name, Math.Round(TimeProvider.System.GetElapsedTime(await written).TotalMilliseconds, 2),
                    null);

            // Polls every millisecond at first, then less often: a precision of one percent is enough for long waits.
            await Task.Delay(Pause + (TimeProvider.System.GetElapsedTime(started) / 100), TimeProvider.System, cancellationToken);
        }
        while (TimeProvider.System.GetElapsedTime(started) < patience);
        return new RowRecord(replica.Name, null, TooLate);
    }

    private string TooLate => $"row not visible within {Words.Duration(patience.TotalMilliseconds)}";

    private static async Task<bool> QueryAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

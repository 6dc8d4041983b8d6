using System.Diagnostics.CodeAnalysis;
using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Confirm;

/// <summary>
/// Writes a row on the primary, in a schema of its own, and reads it back on every replica with the time that took. Leaves nothing.
/// </summary>
[SuppressMessage("Security", "CA2100", Justification = "The only part that varies is the schema's name, which is made here of letters "
    + "and digits.")]
internal sealed class RowOperation(TargetNode primary, TimeSpan patience)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    private readonly string _schema = $"tidemark_confirm_{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>What each replica did.</summary>
    /// <exception cref="CommandException">The primary refused the row; says what the role would need.</exception>
    public async Task<IReadOnlyList<RowRecord>> RunAsync(IReadOnlyList<TargetNode> replicas, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(primary.Within(patience));
        await connection.OpenAsync(cancellationToken);
        await Publications.RefuseAllTablesAsync(connection, cancellationToken);
        await MakeAsync(connection, cancellationToken);     // before the clock starts
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

    // Local, since a synchronous standby that is away would hold up what only asks how it stands.
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
            // It may be there.
            await DropAsync();
            throw;
        }
    }

    private CommandException Refused(PostgresException refusal)
    {
        using var quoting = new NpgsqlCommandBuilder();
        var remedy = refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege
            && primary.Settings is { Database: { } database, Username: { } role }
            ? $" The row needs a schema of its own: GRANT CREATE ON DATABASE {quoting.QuoteIdentifier(database)} TO {quoting.QuoteIdentifier(role)}."
            : "";
        return new CommandException($"{primary.Name} refused to take a row: {refusal.MessageText}.{remedy}", refusal);
    }

    // On a connection of its own: the other may have broken, or be in the midst of something.
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
                $"{primary.Name} does not let go of the row: {NodeProbe.Describe(e)}. What is left: DROP SCHEMA {_schema} CASCADE;", e);
        }
    }

    // A server that says nothing says nothing to the driver's requests to cancel either.
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
            hasTable = hasTable || await AskAsync(connection, $"SELECT to_regclass('{_schema}.row') IS NOT NULL", cancellationToken);
            if (hasTable && await AskAsync(connection, $"SELECT EXISTS (SELECT FROM {_schema}.row)", cancellationToken))
                return new RowRecord(replica.Name, Math.Round(TimeProvider.System.GetElapsedTime(await written).TotalMilliseconds, 2),
                    null);

            // To the millisecond at first; who waits for long wants to know it to the percent.
            await Task.Delay(Pause + (TimeProvider.System.GetElapsedTime(started) / 100), TimeProvider.System, cancellationToken);
        }
        while (TimeProvider.System.GetElapsedTime(started) < patience);
        return new RowRecord(replica.Name, null, TooLate);
    }

    private string TooLate => $"has not shown it within {Words.Duration(patience.TotalMilliseconds)}";

    private static async Task<bool> AskAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
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

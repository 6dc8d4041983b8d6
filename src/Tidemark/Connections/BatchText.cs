using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>Combines a command and a query of Tidemark in a batch, with a Sync after each.</summary>
internal static class BatchText
{
    /// <summary>
    /// Returns whether the query can be piggybacked on the command. A batch command takes one statement, so text with several statements is
    /// rejected, and so is text that only looks like it. The batch contains copies of the parameters, so commands with output parameters
    /// are rejected too.
    /// </summary>
    public static bool CanPiggyback(NpgsqlCommand command) =>
        command.CommandType == CommandType.Text && !HasOutput(command)
        && !command.CommandText.AsSpan().TrimEnd().TrimEnd(';').Contains(';');

    private static bool HasOutput(NpgsqlCommand command)
    {
        for (var i = 0; i < command.Parameters.Count; i++)
            if (command.Parameters[i].Direction != ParameterDirection.Input) return true;
        return false;
    }

    /// <summary>Copies the output parameters of an executed command back to the command that it was copied from.</summary>
    public static void TakeOutput(NpgsqlCommand from, NpgsqlCommand to)
    {
        for (var i = 0; i < to.Parameters.Count && i < from.Parameters.Count; i++)
            if (to.Parameters[i].Direction != ParameterDirection.Input) to.Parameters[i].Value = from.Parameters[i].Value;
    }

    public static NpgsqlBatch Before(NpgsqlConnection connection, string question, NpgsqlCommand command) =>
        Combine(connection, command, new NpgsqlBatchCommand(question), Copy(command));

    public static NpgsqlBatch Behind(NpgsqlConnection connection, NpgsqlCommand command, string question) =>
        Combine(connection, command, Copy(command), new NpgsqlBatchCommand(question));

    private static NpgsqlBatch Combine(NpgsqlConnection connection, NpgsqlCommand command, NpgsqlBatchCommand first,
        NpgsqlBatchCommand second)
    {
        // A command without a timeout of its own takes it from the connection string, so the connection is set first.
        command.Connection = connection;
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true, Timeout = command.CommandTimeout };
        batch.BatchCommands.Add(first);
        batch.BatchCommands.Add(second);
        return batch;
    }

    // Parameters are copied because a parameter belongs to one collection, and the parameters of the original command are still logged
    // afterwards.
    private static NpgsqlBatchCommand Copy(NpgsqlCommand command)
    {
        var copy = new NpgsqlBatchCommand(command.CommandText);
        foreach (NpgsqlParameter parameter in command.Parameters) copy.Parameters.Add(parameter.Clone());
        return copy;
    }
}

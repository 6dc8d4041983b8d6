using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>Puts a command into a batch with a question of Tidemark's own, each behind a Sync of its own.</summary>
internal static class BatchText
{
    /// <summary>
    /// A batch takes one statement to a command: text with several cannot ride, and what only looks like several does not either. The batch
    /// has copies of the parameters, so that those which bring values back cannot ride.
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

    /// <summary>Brings the values that a statement returned in its parameters back to the command that it was copied from.</summary>
    public static void TakeOutput(NpgsqlCommand from, NpgsqlCommand to)
    {
        for (var i = 0; i < to.Parameters.Count && i < from.Parameters.Count; i++)
            if (to.Parameters[i].Direction != ParameterDirection.Input) to.Parameters[i].Value = from.Parameters[i].Value;
    }

    public static NpgsqlBatch Before(NpgsqlConnection connection, string question, NpgsqlCommand command) =>
        Combine(connection, command, new NpgsqlBatchCommand(question), Copy(command));

    public static NpgsqlBatch Behind(NpgsqlConnection connection, NpgsqlCommand command, string question) =>
        Combine(connection, command, Copy(command), new NpgsqlBatchCommand(question));

    /// <summary>Moves time-out and parameters from one command to another; a parameter belongs to one collection.</summary>
    public static void Move(NpgsqlCommand from, NpgsqlCommand to)
    {
        to.CommandTimeout = from.CommandTimeout;
        var parameters = from.Parameters.ToArray();
        from.Parameters.Clear();
        foreach (var parameter in parameters) to.Parameters.Add(parameter);
    }

    private static NpgsqlBatch Combine(NpgsqlConnection connection, NpgsqlCommand command, NpgsqlBatchCommand first,
        NpgsqlBatchCommand second)
    {
        // A command takes its time-out from the connection string when it has none of its own.
        command.Connection = connection;
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true, Timeout = command.CommandTimeout };
        batch.BatchCommands.Add(first);
        batch.BatchCommands.Add(second);
        return batch;
    }

    // Copies, since a parameter belongs to one collection, and the command's own are still logged afterwards.
    private static NpgsqlBatchCommand Copy(NpgsqlCommand command)
    {
        var copy = new NpgsqlBatchCommand(command.CommandText);
        foreach (NpgsqlParameter parameter in command.Parameters) copy.Parameters.Add(parameter.Clone());
        return copy;
    }
}

using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Tidemark;

/// <summary>Records the port of the server that each command of a context is sent to.</summary>
internal sealed class CommandPorts : DbCommandInterceptor
{
    private readonly ConcurrentQueue<int> _ports = new();

    public int[] TakePorts()
    {
        int[] ports = [.. _ports];
        _ports.Clear();
        return ports;
    }

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        _ports.Enqueue(((NpgsqlConnection)command.Connection!).Port);
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default) =>
        new(ReaderExecuted(command, eventData, result));
}

using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// Measures how long the queries of a context take until their first rows arrive or they fail. Used only if a threshold is set.
/// </summary>
internal sealed class SlowReadWatcher : DbCommandInterceptor
{
    public static SlowReadWatcher Instance { get; } = new();

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        Note(command, eventData, eventData.Duration, eventData.CommandSource);
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        Note(command, eventData, eventData.Duration, eventData.CommandSource);
        return new ValueTask<DbDataReader>(result);
    }

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) =>
        Note(command, eventData, eventData.Duration, eventData.CommandSource);

    public override Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData,
        CancellationToken cancellationToken = default)
    {
        Note(command, eventData, eventData.Duration, eventData.CommandSource);
        return Task.CompletedTask;
    }

    private static void Note(DbCommand command, DbContextEventData eventData, TimeSpan duration, CommandSource source)
    {
        if (source is not (CommandSource.LinqQuery or CommandSource.FromSqlQuery)
            || OptionalRouting.Of(eventData.Context) is not { } routing) return;
        routing.Source.SlowReads.Note(duration, routing.UnderWay(eventData.Context!.GetService<IRelationalConnection>()),
            command.CommandText);
    }
}

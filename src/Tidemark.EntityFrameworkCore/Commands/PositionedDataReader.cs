using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// An EF Core reader that reads the WAL position piggybacked on a write before it closes.
/// </summary>
/// <param name="piggybacked">
/// Holds the write that is being read, if a position query is piggybacked on it; empty for reads. EF Core reuses one reader many times.
/// </param>
internal sealed class PositionedDataReader(StrongBox<PositionedCommand?> piggybacked) : RelationalDataReader
{
    private Func<IoMode, ValueTask>? _afterClose;
    private bool _hasFailed;

    /// <summary>Runs an action once, after the current rows are closed. Its argument is how to wait.</summary>
    public void AfterClose(Func<IoMode, ValueTask> action) => _afterClose = action;

    public override bool Read()
    {
        try
        {
            return base.Read();
        }
        catch when (piggybacked.Value is not null)
        {
            _hasFailed = true;
            throw;
        }
    }

    public override Task<bool> ReadAsync(CancellationToken cancellationToken = default) =>
        piggybacked.Value is null ? base.ReadAsync(cancellationToken) : ReadRowAsync(cancellationToken);

    public override void Close()
    {
        var write = piggybacked.Value;
        try
        {
            ReadPosition();
        }
        finally
        {
            base.Close();
            write?.EndOfAnswer();
            EndRows();
        }
    }

    public override async ValueTask CloseAsync()
    {
        var write = piggybacked.Value;
        try
        {
            await ReadPositionAsync().ConfigureAwait(false);
        }
        finally
        {
            await base.CloseAsync().ConfigureAwait(false);
            write?.EndOfAnswer();
            await EndRowsAsync().ConfigureAwait(false);
        }
    }

    public override void Dispose()
    {
        var write = piggybacked.Value;
        try
        {
            ReadPosition();
        }
        finally
        {
            base.Dispose();
            write?.EndOfAnswer();
            EndRows();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        var write = piggybacked.Value;
        try
        {
            await ReadPositionAsync().ConfigureAwait(false);
        }
        finally
        {
            await base.DisposeAsync().ConfigureAwait(false);
            write?.EndOfAnswer();
            await EndRowsAsync().ConfigureAwait(false);
        }
    }

    private async Task<bool> ReadRowAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await base.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
    }

    private void ReadPosition()
    {
        if (Take(ref piggybacked.Value) is not { } write) return;
        Io.End(TakeFailure() ? write.GiveUpAsync(DbDataReader, IoMode.Blocking) : write.ReadPositionAsync(DbDataReader, IoMode.Blocking));
    }

    private ValueTask ReadPositionAsync() =>
        Take(ref piggybacked.Value) is not { } write ? default
        : TakeFailure() ? write.GiveUpAsync(DbDataReader, IoMode.Async)
        : write.ReadPositionAsync(DbDataReader, IoMode.Async);

    private void EndRows()
    {
        if (Take(ref _afterClose) is { } end) Io.End(end(IoMode.Blocking));
    }

    private async ValueTask EndRowsAsync()
    {
        if (Take(ref _afterClose) is { } end) await end(IoMode.Async).ConfigureAwait(false);
    }

    private bool TakeFailure()
    {
        var taken = _hasFailed;
        _hasFailed = false;
        return taken;
    }

    /// <summary>Takes the value only once per command, because both closing and disposing take it.</summary>
    private static T? Take<T>(ref T? value)
        where T : class
    {
        var taken = value;
        value = null;
        return taken;
    }
}

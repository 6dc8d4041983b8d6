using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// An EF Core reader that reads the WAL position piggybacked on a write before it closes, and ends a mirrored read afterwards.
/// </summary>
/// <param name="piggybacked">
/// Holds the write that is being read, if a position query is piggybacked on it; empty for reads. EF Core reuses one reader many times.
/// </param>
/// <param name="mirrored">Holds the mirrored read that these rows belong to; empty outside mirrors.</param>
internal sealed class PositionedDataReader(StrongBox<PositionedCommand?> piggybacked,
    StrongBox<MirroredRead?> mirrored) : RelationalDataReader
{
    private bool _hasFailed;

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
            EndRead();
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
            await EndReadAsync().ConfigureAwait(false);
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
            EndRead();
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
            await EndReadAsync().ConfigureAwait(false);
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
        if (Take(piggybacked) is not { } write) return;
        Io.End(TakeFailure() ? write.GiveUpAsync(DbDataReader, IoMode.Blocking) : write.ReadPositionAsync(DbDataReader, IoMode.Blocking));
    }

    private ValueTask ReadPositionAsync() =>
        Take(piggybacked) is not { } write ? default
        : TakeFailure() ? write.GiveUpAsync(DbDataReader, IoMode.Async)
        : write.ReadPositionAsync(DbDataReader, IoMode.Async);

    private void EndRead()
    {
#pragma warning disable CA2012, RS0030 // Runs synchronously: the task is already complete, so this does not wait.
        if (Take(mirrored) is { } read) read.EndAsync(IoMode.Blocking).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    private async ValueTask EndReadAsync()
    {
        if (Take(mirrored) is { } read) await read.EndAsync(IoMode.Async).ConfigureAwait(false);
    }

    private bool TakeFailure()
    {
        var taken = _hasFailed;
        _hasFailed = false;
        return taken;
    }

    /// <summary>Takes the value only once per command, because both closing and disposing take it.</summary>
    private static T? Take<T>(StrongBox<T?> box)
        where T : class
    {
        var taken = box.Value;
        box.Value = null;
        return taken;
    }
}

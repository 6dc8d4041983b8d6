using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// A reader of EF Core that takes the position along which rides behind a write, before it closes; and ends a mirrored read, after.
/// </summary>
/// <param name="piggybacked">
/// Holds the write being read, behind which its position rides; nothing for reads. EF Core uses one reader again and again.
/// </param>
/// <param name="mirrored">Holds the mirrored read whose rows these are; nothing outside mirrors.</param>
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
        if (TakeFailure()) write.GiveUp(DbDataReader);
        else write.ReadPosition(DbDataReader);
    }

    private ValueTask ReadPositionAsync() =>
        Take(piggybacked) is not { } write ? default
        : TakeFailure() ? write.GiveUpAsync(DbDataReader)
        : write.ReadPositionAsync(DbDataReader);

    private void EndRead()
    {
#pragma warning disable CA2012, RS0030 // It blocks: the task is complete, and nothing is waited for here.
        if (Take(mirrored) is { } read) read.EndAsync(isAsync: false).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    private async ValueTask EndReadAsync()
    {
        if (Take(mirrored) is { } read) await read.EndAsync(isAsync: true).ConfigureAwait(false);
    }

    private bool TakeFailure()
    {
        var taken = _hasFailed;
        _hasFailed = false;
        return taken;
    }

    /// <summary>Once for each command: closing and disposing both come by.</summary>
    private static T? Take<T>(StrongBox<T?> box)
        where T : class
    {
        var taken = box.Value;
        box.Value = null;
        return taken;
    }
}

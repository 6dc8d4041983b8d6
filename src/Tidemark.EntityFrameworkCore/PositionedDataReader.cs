using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>A reader of EF Core that takes the position along which rides behind a write, before it closes; and ends a mirrored read, after.</summary>
/// <param name="riding">Holds the lease that learns the outcome of the write being read; nothing for reads. EF Core uses one reader again and again.</param>
/// <param name="mirrored">Holds the mirrored read whose rows these are; nothing outside mirrors.</param>
internal sealed class PositionedDataReader(StrongBox<WriteLease?> riding, StrongBox<MirroredRead?> mirrored) : RelationalDataReader
{
    public override void Close()
    {
        if (Take(riding) is { } lease) lease.Outcome = PositionRide.Harvest(DbDataReader);
        base.Close();
        EndRead();
    }

    public override async ValueTask CloseAsync()
    {
        if (Take(riding) is { } lease) lease.Outcome = await PositionRide.HarvestAsync(DbDataReader).ConfigureAwait(false);
        await base.CloseAsync().ConfigureAwait(false);
        if (Take(mirrored) is { } read) await read.EndAsync(isAsync: true).ConfigureAwait(false);
    }

    public override void Dispose()
    {
        if (Take(riding) is { } lease) lease.Outcome = PositionRide.Harvest(DbDataReader);
        base.Dispose();
        EndRead();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Take(riding) is { } lease) lease.Outcome = await PositionRide.HarvestAsync(DbDataReader).ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
        if (Take(mirrored) is { } read) await read.EndAsync(isAsync: true).ConfigureAwait(false);
    }

    private void EndRead()
    {
#pragma warning disable CA2012, RS0030 // It blocks: the task is complete, and nothing is waited for here.
        if (Take(mirrored) is { } read) read.EndAsync(isAsync: false).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
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

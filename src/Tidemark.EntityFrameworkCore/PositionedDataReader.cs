using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>A reader of EF Core that takes the position along which rides behind a write, before it closes.</summary>
/// <param name="riding">Holds the lease that learns the outcome of the write being read; nothing for reads. EF Core uses one reader again and again.</param>
internal sealed class PositionedDataReader(StrongBox<WriteLease?> riding) : RelationalDataReader
{
    public override void Close()
    {
        if (Take() is { } lease) lease.Outcome = PositionRide.Harvest(DbDataReader);
        base.Close();
    }

    public override async ValueTask CloseAsync()
    {
        if (Take() is { } lease) lease.Outcome = await PositionRide.HarvestAsync(DbDataReader).ConfigureAwait(false);
        await base.CloseAsync().ConfigureAwait(false);
    }

    public override void Dispose()
    {
        if (Take() is { } lease) lease.Outcome = PositionRide.Harvest(DbDataReader);
        base.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Take() is { } lease) lease.Outcome = await PositionRide.HarvestAsync(DbDataReader).ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Once for each write: closing and disposing both come by.</summary>
    private WriteLease? Take()
    {
        var lease = riding.Value;
        riding.Value = null;
        return lease;
    }
}

using System.Diagnostics.Metrics;

namespace Tidemark;

/// <summary>How many connections of the pools that read and write are in somebody's hands, by Npgsql's own count.</summary>
internal sealed class BusyConnections : IDisposable
{
    private readonly MeterListener _listener = new();
    private int _count;

    public BusyConnections()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: "Npgsql", Name: "db.client.connection.count" }) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((_, measured, tags, _) =>
        {
            if (IsUsedByCallers(tags)) _count += measured;
        });
        _listener.Start();
    }

    public int Count()
    {
        _count = 0;
        _listener.RecordObservableInstruments();
        return _count;
    }

    public void Dispose() => _listener.Dispose();

    // The monitor keeps a connection to each node, which is busy all along.
    private static bool IsUsedByCallers(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var (isUsed, isOfMonitor) = (false, false);
        foreach (var (name, value) in tags)
        {
            isUsed |= name == "db.client.connection.state" && value is "used";
            isOfMonitor |= name == "db.client.connection.pool.name" && value is string pool
                && pool.EndsWith("/monitor", StringComparison.Ordinal);
        }

        return isUsed && !isOfMonitor;
    }
}

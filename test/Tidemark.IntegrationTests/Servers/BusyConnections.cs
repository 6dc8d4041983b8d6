using System.Diagnostics.Metrics;

namespace Tidemark;

/// <summary>Counts the connections in use in the pools for reads and writes, by Npgsql's own metrics.</summary>
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

    // Excludes the monitor, which always has one connection to each node in use.
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

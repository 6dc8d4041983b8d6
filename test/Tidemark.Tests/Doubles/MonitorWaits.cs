namespace Tidemark;

internal static class MonitorWaits
{
    public static async Task SnapshotWhen(this ClusterMonitor monitor, Func<ClusterSnapshot, bool> condition)
    {
        while (!condition(monitor.Snapshot)) await Task.Yield();
    }
}

using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Logs once, at the first transaction concerned, that a commit is to wait for replicas but the primary has no synchronous replica.
/// </summary>
internal sealed class CommitAdvice(ILogger logger)
{
    private int _isLogged;

    public void NoReplicaToWaitFor(SynchronousCommit requested, string setting)
    {
        if (requested is SynchronousCommit.Local or SynchronousCommit.Off) return;
        if (Interlocked.Exchange(ref _isLogged, 1) == 0) Log.NoReplicaToWaitFor(logger, setting);
    }
}

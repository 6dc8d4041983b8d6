using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Says once, at the first transaction that asks for it, that a commit is to wait for replicas and the primary has none to wait for.
/// </summary>
internal sealed class CommitAdvice(ILogger logger)
{
    private int _isGiven;

    public void NobodyToWaitFor(SynchronousCommit asked, string setting)
    {
        if (asked is SynchronousCommit.Local or SynchronousCommit.Off) return;
        if (Interlocked.Exchange(ref _isGiven, 1) == 0) Log.NobodyToWaitFor(logger, setting);
    }
}

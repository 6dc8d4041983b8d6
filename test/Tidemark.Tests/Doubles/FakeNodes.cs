namespace Tidemark;

/// <summary>Stands in for the probes: each question stays open until the test answers it, or is answered at once from now on.</summary>
internal sealed class FakeNodes(int count)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<ProbeAnswer>?[] _open = new TaskCompletionSource<ProbeAnswer>?[count];
    private readonly ProbeAnswer?[] _status = new ProbeAnswer?[count];
    private readonly int[] _timesProbed = new int[count];

    /// <summary>Runs within each question.</summary>
    public Action? OnQuery { get; set; }

    public Task<ProbeAnswer> QueryAsync(int index, CancellationToken cancellationToken)
    {
        OnQuery?.Invoke();
        lock (_gate)
        {
            _timesProbed[index]++;
            if (_status[index] is { } answer) return Task.FromResult(answer);
            var question = new TaskCompletionSource<ProbeAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
            cancellationToken.Register(() => question.TrySetResult(ProbeAnswer.Failed("cancelled")));
            _open[index] = question;
            return question.Task;
        }
    }

    public int TimesProbed(int index)
    {
        lock (_gate) return _timesProbed[index];
    }

    /// <summary>Answers the open question.</summary>
    public void Answer(int index, ProbeAnswer answer) => TakeOpen(index).SetResult(answer);

    /// <summary>Lets the open question fail as a probe never should.</summary>
    public void Throw(int index, Exception failure) => TakeOpen(index).SetException(failure);

    /// <summary>Answers the open question if there is one, and all that follow.</summary>
    public void AnswerAlways(int index, ProbeAnswer answer)
    {
        lock (_gate)
        {
            _status[index] = answer;
            _open[index]?.TrySetResult(answer);
            _open[index] = null;
        }
    }

    private TaskCompletionSource<ProbeAnswer> TakeOpen(int index)
    {
        lock (_gate)
        {
            var question = _open[index] ?? throw new InvalidOperationException($"node {index} is not being asked");
            _open[index] = null;
            return question;
        }
    }
}

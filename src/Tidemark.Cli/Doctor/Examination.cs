namespace Tidemark.Cli.Doctor;

/// <summary>Asks all nodes at the same time. None of them can take longer than its time-out.</summary>
internal static class Examination
{
    /// <summary>Everything that the nodes say.</summary>
    /// <param name="nodes">The nodes.</param>
    /// <param name="bounds">How long they have.</param>
    /// <param name="time">The time waited by.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<ClusterFacts> RunAsync(IReadOnlyList<DoctorNode> nodes, DoctorBounds bounds, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        using var timeout = new CancellationTokenSource(bounds.Timeout, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var examinations = nodes.Select(node => new NodeExamination(node, bounds)).ToList();
        try
        {
            await Task.WhenAll(examinations.Select(examination => examination.AskAllAsync(deadline.Token)));
            cancellationToken.ThrowIfCancellationRequested();

            // A replica of a busy primary is always a little behind; only one that stays behind is worth a word.
            var facts = Facts(examinations, bounds);
            if (facts.Primary?.Position is { Position: { } position })
            {
                var left = bounds.CatchUp - time.GetElapsedTime(start);
                using var catchUp = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(catchUp.Token, cancellationToken);
                var behind = facts.Replicas.Where(replica => replica.Position?.Position < position).Select(replica => replica.Name)
                    .ToHashSet();
                await Task.WhenAll(examinations.Where(examination => behind.Contains(examination.Facts.Name))
                    .Select(examination => examination.CatchUpAsync(position, time, limit.Token)));
                cancellationToken.ThrowIfCancellationRequested();
            }

            return Facts(examinations, bounds);
        }
        finally
        {
            foreach (var examination in examinations) await examination.DisposeAsync();
        }
    }

    private static ClusterFacts Facts(IEnumerable<NodeExamination> examinations, DoctorBounds bounds) =>
        new([.. examinations.Select(examination => examination.Facts)], bounds);
}

namespace Tidemark.Cli.Doctor;

/// <summary>Examines all nodes in parallel. No node can take longer than its time-out.</summary>
internal static class Examination
{
    /// <summary>Returns everything that the nodes report.</summary>
    /// <param name="nodes">The nodes.</param>
    /// <param name="bounds">The time-outs.</param>
    /// <param name="time">The clock for time-outs and waits.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static async Task<ClusterFacts> RunAsync(IReadOnlyList<DoctorNode> nodes, DoctorBounds bounds, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        using var timeout = new CancellationTokenSource(bounds.Timeout, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var examinations = nodes.Select(node => new NodeExamination(node, bounds)).ToList();
        try
        {
            await Task.WhenAll(examinations.Select(examination => examination.QueryAllAsync(deadline.Token)));
            cancellationToken.ThrowIfCancellationRequested();

            // A replica of a busy primary always lags a little. Only one that does not catch up is reported.
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

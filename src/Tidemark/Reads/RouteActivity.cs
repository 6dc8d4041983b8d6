using System.Diagnostics;

namespace Tidemark;

/// <summary>Spans of routed statements: source <c>Tidemark</c>, one span for each attempt, with the decision in its tags.</summary>
internal static class RouteActivity
{
    public const string SourceName = "Tidemark";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Whether there is a listener. Without one, no decision is made only for a span.</summary>
    public static bool IsWanted => Source.HasListeners();

    /// <summary>Starts a span. Does nothing without a listener.</summary>
    public static Activity? Start(in RouteDecision decision)
    {
        if (!Source.HasListeners()) return null;
        var activity = Source.StartActivity($"route {decision.Node ?? "elsewhere"}", ActivityKind.Internal);
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("tidemark.node", decision.Node);
            activity.SetTag("tidemark.role",
                decision.Role switch { NodeRole.Primary => "primary", NodeRole.Replica => "replica", _ => null });
            activity.SetTag("tidemark.reason", decision.Reason.ToString());
            activity.SetTag("tidemark.summary", decision.Summary);
            activity.SetTag("tidemark.staleness", decision.Staleness?.TotalSeconds);
            activity.SetTag("tidemark.decision", decision.ToString());
        }

        return activity;
    }

    /// <summary>
    /// Records that the attempt failed. Returns <see langword="false"/>, so that it can be used in an exception filter that lets the
    /// exception pass.
    /// </summary>
    public static bool Fail(Activity? activity, Exception failure)
    {
        activity?.SetStatus(ActivityStatusCode.Error, NodeProbe.Describe(failure));
        return false;
    }

    /// <summary>
    /// Records that the attempt was given up: the replica does not have what the read must include, or its connection proved nothing.
    /// </summary>
    public static void GiveUp(Activity? activity, ConnectionCheck check) =>
        activity?.SetTag("tidemark.outcome", check == ConnectionCheck.Position ? "behind" : "unproven");
}

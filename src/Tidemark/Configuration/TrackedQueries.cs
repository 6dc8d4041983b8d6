namespace Tidemark;

/// <summary>Where queries that track entities read.</summary>
public enum TrackedQueries
{
    /// <summary>From the primary: what is tracked is there to be changed and saved.</summary>
    FromPrimary,

    /// <summary>
    /// As all other queries do. Give each entity that is saved a concurrency token: the first one saved without is logged, once for each
    /// type.
    /// </summary>
    FromReplicas,
}

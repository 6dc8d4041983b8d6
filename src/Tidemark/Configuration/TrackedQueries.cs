namespace Tidemark;

/// <summary>Where queries that track entities read.</summary>
public enum TrackedQueries
{
    /// <summary>From the primary, because tracked entities are usually modified and saved.</summary>
    FromPrimary,

    /// <summary>
    /// From replicas, like all other queries. Give each entity that is saved a concurrency token. Saving an entity without one is logged
    /// once for each entity type.
    /// </summary>
    FromReplicas,
}

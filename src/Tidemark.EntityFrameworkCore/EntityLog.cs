using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>All log messages of the EF Core integration. 4xx: entities.</summary>
internal static partial class EntityLog
{
    [LoggerMessage(400, LogLevel.Warning,
        "A {Entity} that was read from a replica is saved without a concurrency token: what somebody else has changed since is undone in silence. Give it one, such as a uint property with IsRowVersion() for PostgreSQL's xmin, or read it from the primary (ReadsFromPrimary, or TrackedQueries = FromPrimary)",
        EventName = "SavedFromReplica")]
    public static partial void SavedFromReplica(ILogger logger, string entity);
}

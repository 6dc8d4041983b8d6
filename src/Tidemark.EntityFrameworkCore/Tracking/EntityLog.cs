using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>All log messages of the EF Core integration. 4xx: entities.</summary>
internal static partial class EntityLog
{
    [LoggerMessage(400, LogLevel.Warning,
        "An entity of type {Entity} was read from a replica and is saved without a concurrency token. The save may silently overwrite a "
            + "newer change. Add a token, such as a uint property with IsRowVersion() for PostgreSQL's xmin, or read the entity from the "
            + "primary (ReadsFromPrimary, or TrackedQueries = FromPrimary)",
        EventName = "SavedFromReplica")]
    public static partial void SavedFromReplica(ILogger logger, string entity);
}

namespace Tidemark;

/// <summary>Whether a WAL position survived in the history of the cluster.</summary>
internal enum Survival
{
    /// <summary>The position is part of the current history.</summary>
    Holds,

    /// <summary>It cannot be determined whether the current history includes the position.</summary>
    MayBeLost,

    /// <summary>The current history does not include the position.</summary>
    Lost,
}

namespace Tidemark;

/// <summary>What became of a place in history.</summary>
internal enum Survival
{
    /// <summary>It is part of the current history.</summary>
    Holds,

    /// <summary>It lies where it cannot be told whether history contains it.</summary>
    MayBeLost,

    /// <summary>History went on without it.</summary>
    Lost,
}

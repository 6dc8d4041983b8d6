namespace Tidemark.EfSuite;

/// <summary>One path through EF Core.</summary>
/// <param name="Name">What the path does.</param>
/// <param name="Nodes">
/// A pattern of the nodes on which its commands run, in order: R for a replica, P for the primary. ~ stands for reads that follow what the
/// session did on the primary. They run on a replica that has it, or on the primary after a replica that does not have it yet was tried.
/// </param>
/// <param name="WalkAsync">Runs the path and returns its result.</param>
internal sealed record Path(string Name, string Nodes, Func<Run, Task<object?>> WalkAsync)
{
    /// <summary>The result without a primary, if the path needs one and still answers.</summary>
    public string? WithoutPrimary { get; init; }

    /// <summary>Whether the path runs on the caller's own connection, to whichever server it leads.</summary>
    public bool IsOwn { get; init; }
}

namespace Tidemark.EfSuite;

/// <summary>One way through EF Core.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Nodes">The nodes its commands run on, in turn: R a replica, P the primary; a pattern. ~ stands for reads that follow what
/// the session did on
/// the primary: on a replica that has it, or, tried in vain on one that has not yet, on the primary again.</param>
/// <param name="WalkAsync">Does it and says what came out.</param>
internal sealed record Path(string Name, string Nodes, Func<Run, Task<object?>> WalkAsync)
{
    /// <summary>It answers without a primary although it asks for one.</summary>
    public string? WithoutPrimary { get; init; }

    /// <summary>It runs on a connection of the caller's own, wherever that leads.</summary>
    public bool IsOwn { get; init; }
}

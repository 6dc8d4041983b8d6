namespace Tidemark;

/// <summary>Tests with servers run one class after the other, and not beside tests that use up the processors.</summary>
[CollectionDefinition(nameof(RealServers), DisableParallelization = true)]
public sealed class RealServers;

namespace Tidemark;

/// <summary>Test classes with servers run one after the other, and not in parallel with tests that load the processors.</summary>
[CollectionDefinition(nameof(RealServers), DisableParallelization = true)]
public sealed class RealServers;

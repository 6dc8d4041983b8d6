using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>
/// A cluster that one database plays in tests (<c>UseTidemarkMirror</c> of <see cref="TidemarkDbContextMirrorExtensions"/>), and the record
/// of where each command would have run. All nodes are healthy and never change. Safe for concurrent use.
/// </summary>
public sealed class RouteRecorder : IDisposable, IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<RecordedRoute> _routes = [];
    private readonly Lazy<TidemarkDataSource> _source;

    /// <summary>Creates a cluster of a primary and one replica, unless the properties specify otherwise.</summary>
    public RouteRecorder() => _source = new Lazy<TidemarkDataSource>(
        () => MirrorCluster.Build(Primary, Replicas, ReplicasAreBehind, Configure));

    /// <summary>The name of the primary. Default: <c>primary</c>.</summary>
    public string Primary { get; init; } = "primary";

    /// <summary>The names of the replicas, at most 63. Default: one replica named <c>replica</c>.</summary>
    public IReadOnlyList<string> Replicas { get; init; } = ["replica"];

    /// <summary>
    /// Whether the replicas lack everything that is written. If <see langword="true"/>, a session that has written reads from the primary
    /// from then on. If <see langword="false"/> (the default), the replicas have every write immediately.
    /// </summary>
    public bool ReplicasAreBehind { get; init; }

    /// <summary>
    /// Configures the options of the cluster, such as <see cref="TidemarkOptions.DefaultConsistency"/>. By default, they are those of a new
    /// cluster.
    /// </summary>
    public Action<TidemarkOptions>? Configure { get; init; }

    /// <summary>
    /// The cluster, for the sessions, scopes and explanations that the code under test uses. The cluster has no server, so connections and
    /// commands that it creates itself cannot reach one.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">
    /// Names or options are invalid. The message lists all of them.
    /// </exception>
    public TidemarkDataSource Source => _source.Value;

    /// <summary>
    /// All commands that were routed since the beginning or the last call of <see cref="Clear"/>, in order. A read that its node rejected
    /// because it writes appears once for each attempt.
    /// </summary>
    public IReadOnlyList<RecordedRoute> All
    {
        get
        {
            lock (_lock) return [.. _routes];
        }
    }

    /// <summary>The queries among <see cref="All"/>, wherever they ran.</summary>
    public IReadOnlyList<RecordedRoute> Reads => [.. All.Where(r => r.IsQuery)];

    /// <summary>
    /// The commands among <see cref="All"/> that are not queries: saves, <c>ExecuteUpdate</c>, <c>ExecuteDelete</c> and executed SQL.
    /// </summary>
    public IReadOnlyList<RecordedRoute> Writes => [.. All.Where(r => !r.IsQuery)];

    /// <summary>Clears the record.</summary>
    public void Clear()
    {
        lock (_lock) _routes.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_source.IsValueCreated) _source.Value.Dispose();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _source.IsValueCreated ? _source.Value.DisposeAsync() : ValueTask.CompletedTask;

    internal void Note(in RouteDecision decision, string commandText, bool isQuery)
    {
        lock (_lock) _routes.Add(new RecordedRoute(decision, commandText, isQuery));
    }
}

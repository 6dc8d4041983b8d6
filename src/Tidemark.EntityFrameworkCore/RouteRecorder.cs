using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>
/// A cluster that is played by one database in tests
/// (<see cref="TidemarkDbContextMirrorExtensions.UseTidemarkMirror(DbContextOptionsBuilder, Npgsql.NpgsqlConnection, RouteRecorder, Action{Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.NpgsqlDbContextOptionsBuilder}?)"/>),
/// and where each command would have run. Every node is well, and none ever changes. Safe for concurrent use.
/// </summary>
public sealed class RouteRecorder : IDisposable, IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<RecordedRoute> _routes = [];
    private readonly Lazy<TidemarkDataSource> _source;

    /// <summary>A cluster of a primary and one replica, unless its properties say otherwise.</summary>
    public RouteRecorder() => _source = new Lazy<TidemarkDataSource>(() => MirrorCluster.Build(this));

    /// <summary>The name of the primary; <c>primary</c> by default.</summary>
    public string Primary { get; init; } = "primary";

    /// <summary>The names of the replicas, up to 63; one named <c>replica</c> by default.</summary>
    public IReadOnlyList<string> Replicas { get; init; } = ["replica"];

    /// <summary>
    /// The replicas have nothing of what is written: a session that wrote reads from the primary from then on. False by default: they have
    /// everything at once.
    /// </summary>
    public bool ReplicasAreBehind { get; init; }

    /// <summary>
    /// The settings of the cluster, such as <see cref="TidemarkOptions.DefaultConsistency"/>; they are those of a new cluster by default.
    /// </summary>
    public Action<TidemarkOptions>? Configure { get; init; }

    /// <summary>
    /// The cluster, for what code under test asks of it: sessions, scopes and explanations. No server is behind it, so connections and
    /// commands that it makes itself
    /// reach none.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">
    /// Names or settings are wrong; names all of them.
    /// </exception>
    public TidemarkDataSource Source => _source.Value;

    /// <summary>
    /// Every command that was routed since the beginning or <see cref="Clear"/>, in order. A read that was refused where it was sent,
    /// because it writes, stands
    /// there once for each attempt.
    /// </summary>
    public IReadOnlyList<RecordedRoute> All
    {
        get
        {
            lock (_lock) return [.. _routes];
        }
    }

    /// <summary>The queries among <see cref="All"/>, wherever they went.</summary>
    public IReadOnlyList<RecordedRoute> Reads => [.. All.Where(r => r.IsQuery)];

    /// <summary>
    /// What is no query among <see cref="All"/>: saves, <c>ExecuteUpdate</c>, <c>ExecuteDelete</c>, SQL that is executed.
    /// </summary>
    public IReadOnlyList<RecordedRoute> Writes => [.. All.Where(r => !r.IsQuery)];

    /// <summary>Forgets what was recorded.</summary>
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

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Tidemark;

/// <summary>
/// Records which tracked entities of a context came from a replica and have no concurrency token. Logs a warning when the first of each
/// type is saved. Used only if <see cref="TrackedQueries.FromReplicas"/> allows tracked entities from replicas.
/// </summary>
internal sealed class ReplicaEntities(TidemarkDataSource source, ICurrentDbContext current)
{
    // Each type is logged once per data source.
    private static readonly ConditionalWeakTable<TidemarkDataSource, ConcurrentDictionary<string, bool>> Reported = [];

    private readonly HashSet<object> _entities = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<string, bool> _reported = Reported.GetOrCreateValue(source);
    private ChangeTracker? _tracker;
    private bool _areFromReplica;

    /// <summary>Called when a tracking query is about to be read, with the kind of node that it is read from.</summary>
    public void Reading(bool fromReplica)
    {
        _areFromReplica = fromReplica;
        if (!fromReplica || _tracker is not null) return;
        _tracker = current.Context.ChangeTracker;
        _tracker.Tracked += OnTracked;
    }

    /// <summary>Called when the context saves.</summary>
    public void Saving()
    {
        if (_tracker is null || _entities.Count == 0) return;
        foreach (var entry in _tracker.Entries())
        {
            if (entry.State != EntityState.Modified || !_entities.Contains(entry.Entity)) continue;
            if (_reported.TryAdd(entry.Metadata.Name, true))
                EntityLog.SavedFromReplica(source.Cluster.Logger, entry.Metadata.DisplayName());
        }
    }

    /// <summary>Forgets all entities, because a pooled context that is reset no longer tracks any.</summary>
    public void Forget()
    {
        _entities.Clear();
        _tracker?.Tracked -= OnTracked;
        _tracker = null;
        _areFromReplica = false;
    }

    private void OnTracked(object? sender, EntityTrackedEventArgs e)
    {
        if (_areFromReplica && e.FromQuery && !_reported.ContainsKey(e.Entry.Metadata.Name) && !HasToken(e.Entry.Metadata))
            _entities.Add(e.Entry.Entity);
    }

    private static bool HasToken(IReadOnlyEntityType entity) => entity.GetProperties().Any(p => p.IsConcurrencyToken);
}

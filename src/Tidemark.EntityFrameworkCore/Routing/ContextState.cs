using Npgsql;

namespace Tidemark;

/// <summary>
/// What a context remembers from one command to the next: its own session (used if none surrounds the caller), the node it last read from,
/// and what it is doing.
/// </summary>
internal sealed class ContextState : IDisposable
{
    private readonly ReplicaEntities? _replicaEntities;
    private ConsistencySession _own;
    private ReadOnlyTransaction? _readOnly;

    public ContextState(TidemarkDataSource source, ReplicaEntities? replicaEntities)
    {
        Source = source;
        _replicaEntities = replicaEntities;
        _own = new ConsistencySession(source.Cluster.Monitor);
        FindSession = () => Session;
    }

    public TidemarkDataSource Source { get; }

    /// <summary>The session that surrounds the caller, or else the context's own.</summary>
    public ConsistencySession Session => Source.CurrentSession ?? _own;

    /// <summary>Finds the session that operations on the main connection belong to, regardless of who opens it.</summary>
    public Func<ConsistencySession?> FindSession { get; }

    /// <summary>The main connection that the context created itself; <see langword="null"/> if it has not created one yet.</summary>
    public NpgsqlConnection? Main { get; private set; }

    /// <summary>The read-only transaction that the context is in; <see langword="null"/> outside one.</summary>
    public ReadOnlyTransaction? ReadOnlyTransaction => _readOnly is { IsOver: false } readOnly ? readOnly : null;

    /// <summary>Whether the context is writing a save. EF Core opens and closes a connection that is opened meanwhile.</summary>
    public bool IsSaving { get; private set; }

    /// <summary>The node that the context last read from, or -1. It stays there, so that lazy loads see one state of the data.</summary>
    public int LastNode { get; private set; } = -1;

    /// <summary>Where the latest attempt of a routed read runs, and why.</summary>
    public RouteDecision LastDecision { get; private set; }

    /// <summary>The query that the context is about to execute, or executes; the previous one between queries.</summary>
    public PendingExecution Pending { get; private set; }

    /// <summary>Returns where a command that uses the main connection runs, and why, if that connection leads to the cluster.</summary>
    public RouteDecision DecideOnMain(RouteReason because) =>
        ReadOnlyTransaction is { } readOnly
            ? readOnly.Decision.Because(RouteReason.Transaction) : Source.Cluster.Decide(ReadRequirement.Primary(because));

    /// <summary>Called when the context is about to execute a query.</summary>
    public void Begin(in PendingExecution pending)
    {
        Pending = pending;
        if (pending is { Tracks: true, IsRouted: false }) _replicaEntities?.Reading(fromReplica: false);
    }

    /// <summary>Called when an attempt of the current query begins on the node of the decision.</summary>
    public void Attempt(in RouteDecision decision, bool isWrite)
    {
        LastDecision = decision;
        if (Pending.Tracks) _replicaEntities?.Reading(decision.IsReplica);

        // A query that must read from the primary does not affect which replica the context's other reads stay on.
        if (!isWrite && decision.Reason is not (RouteReason.TrackingQuery or RouteReason.Reload)) LastNode = decision.NodeIndex;
    }

    /// <summary>
    /// Called when something other than a query begins on the node of the decision. The context stays on that node from then on.
    /// </summary>
    public void StayOn(in RouteDecision decision) => (LastNode, LastDecision) = (decision.NodeIndex, decision);

    /// <summary>Called when a read-only transaction begins. It ends by itself.</summary>
    public void Enter(ReadOnlyTransaction readOnly) => _readOnly = readOnly;

    /// <summary>Called when the context creates its main connection, or replaces it.</summary>
    public void Connected(NpgsqlConnection? main) => Main = main;

    /// <summary>Called when the context is about to save.</summary>
    public void Saving() => _replicaEntities?.Saving();

    /// <summary>Called when the context begins to write a save.</summary>
    public void BeginSave() => IsSaving = true;

    /// <summary>Called when the save is written, or has failed.</summary>
    public void EndSave() => IsSaving = false;

    /// <summary>Forgets everything, because the next user of a pooled context is a different one.</summary>
    public void Forget()
    {
        LastNode = -1;
        _replicaEntities?.Forget();
        IsSaving = false;
        _own.Dispose();
        _own = new ConsistencySession(Source.Cluster.Monitor);
    }

    public void Dispose() => _own.Dispose();
}

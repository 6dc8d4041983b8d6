using System.Data.Common;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// The router through which the sessions of a <see cref="HistoryWorkload"/> access the cluster: Tidemark, or what an application without it
/// would use.
/// </summary>
public abstract class WorkloadRouter : IAsyncDisposable
{
    private protected WorkloadRouter(string name) => Name = name;

    /// <summary>Name of the router in reports.</summary>
    public string Name { get; }

    /// <summary>Uses a data source, which the caller keeps and disposes of.</summary>
    /// <param name="source">The data source.</param>
    public static WorkloadRouter Tidemark(TidemarkDataSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new TidemarkRouter(source);
    }

    /// <summary>
    /// Uses plain Npgsql. Writes go to the primary, and each read to a random replica, regardless of its consistency level.
    /// </summary>
    /// <param name="primary">Connection string of the primary.</param>
    /// <param name="replicas">Connection strings of the replicas, at least one.</param>
    /// <param name="seed">Seed of the random choice.</param>
    public static WorkloadRouter RandomReplica(string primary, IEnumerable<string> replicas, long seed = 1)
    {
        var chance = new Chance(seed);
        return new NaiveRouter("random replica", primary, replicas, count => (int)(chance.Next() * count));
    }

    /// <summary>Uses plain Npgsql. Writes go to the primary, and reads to the replicas in turn.</summary>
    /// <param name="primary">Connection string of the primary.</param>
    /// <param name="replicas">Connection strings of the replicas, at least one.</param>
    public static WorkloadRouter RoundRobin(string primary, IEnumerable<string> replicas)
    {
        var turn = -1;
        return new NaiveRouter("round robin", primary, replicas, count => (int)((uint)Interlocked.Increment(ref turn) % (uint)count));
    }

    /// <summary>Uses plain Npgsql. All operations go to the primary.</summary>
    /// <param name="primary">Connection string of the primary.</param>
    public static WorkloadRouter PrimaryOnly(string primary) => new NaiveRouter("primary only", primary, [primary], _ => 0);

    /// <summary>Closes the connections that the router itself opened.</summary>
    public abstract ValueTask DisposeAsync();

    internal virtual void Begin(HistoryRecorder recorder)
    {
    }

    internal abstract DbCommand CreateWrite();

    internal abstract DbCommand CreateRead(Consistency consistency);

    /// <summary>Begins a session in the caller's execution context. If there is a token, continues the session that it came from.</summary>
    internal virtual IDisposable? BeginSession(string? token) => null;

    /// <summary>Captures the caller's session, or <see langword="null"/> if the router has no tokens.</summary>
    internal virtual Func<CancellationToken, ValueTask<CausalToken>>? Capture => null;

    private sealed class TidemarkRouter(TidemarkDataSource source) : WorkloadRouter("Tidemark")
    {
        internal override Func<CancellationToken, ValueTask<CausalToken>> Capture => source.CaptureTokenAsync;

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

        internal override void Begin(HistoryRecorder recorder) => recorder.Watch(source);

        internal override DbCommand CreateWrite() => source.CreateCommand();

        internal override DbCommand CreateRead(Consistency consistency) => source.CreateReadCommand(consistency: consistency);

        internal override IDisposable BeginSession(string? token) => source.BeginSession(token is null ? null : CausalToken.Parse(token));
    }

    private sealed class NaiveRouter : WorkloadRouter
    {
        private readonly NpgsqlDataSource _primary;
        private readonly NpgsqlDataSource[] _readers;
        private readonly Func<int, int> _choose;

        public NaiveRouter(string name, string primary, IEnumerable<string> readers, Func<int, int> choose)
            : base(name)
        {
            _primary = NpgsqlDataSource.Create(primary);
            _readers = [.. readers.Select(NpgsqlDataSource.Create)];
            _choose = choose;
            if (_readers.Length == 0) throw new ArgumentException("A router needs at least one node to read from.", nameof(readers));
        }

        public override async ValueTask DisposeAsync()
        {
            await _primary.DisposeAsync().ConfigureAwait(false);
            foreach (var reader in _readers) await reader.DisposeAsync().ConfigureAwait(false);
        }

        internal override DbCommand CreateWrite() => _primary.CreateCommand();

        internal override DbCommand CreateRead(Consistency consistency) => _readers[_choose(_readers.Length)].CreateCommand();
    }
}

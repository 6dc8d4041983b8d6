using System.Data.Common;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// What stands between the sessions of a <see cref="HistoryWorkload"/> and the cluster: Tidemark, or what an application without it has.
/// </summary>
public abstract class WorkloadRouter : IAsyncDisposable
{
    private protected WorkloadRouter(string name) => Name = name;

    /// <summary>What reports call it.</summary>
    public string Name { get; }

    /// <summary>A data source, which stays the caller's.</summary>
    /// <param name="source">The data source.</param>
    public static WorkloadRouter Tidemark(TidemarkDataSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new TidemarkRouter(source);
    }

    /// <summary>Plain Npgsql: writes go to the primary, each read to a replica drawn by chance, whatever it asks for.</summary>
    /// <param name="primary">How to reach the primary.</param>
    /// <param name="replicas">How to reach each replica, at least one.</param>
    /// <param name="seed">The seed of the chance.</param>
    public static WorkloadRouter RandomReplica(string primary, IEnumerable<string> replicas, long seed = 1)
    {
        var chance = new Chance(seed);
        return new NaiveRouter("random replica", primary, replicas, count => (int)(chance.Next() * count));
    }

    /// <summary>Plain Npgsql: writes go to the primary, reads to the replicas in turn.</summary>
    /// <param name="primary">How to reach the primary.</param>
    /// <param name="replicas">How to reach each replica, at least one.</param>
    public static WorkloadRouter RoundRobin(string primary, IEnumerable<string> replicas)
    {
        var turn = -1;
        return new NaiveRouter("round robin", primary, replicas, count => (int)((uint)Interlocked.Increment(ref turn) % (uint)count));
    }

    /// <summary>Plain Npgsql: everything goes to the primary.</summary>
    /// <param name="primary">How to reach the primary.</param>
    public static WorkloadRouter PrimaryOnly(string primary) => new NaiveRouter("primary only", primary, [primary], _ => 0);

    /// <summary>Closes what the router opened itself.</summary>
    public abstract ValueTask DisposeAsync();

    internal virtual void Begin(HistoryRecorder recorder)
    {
    }

    internal abstract DbCommand CreateWrite();

    internal abstract DbCommand CreateRead(Consistency consistency);

    /// <summary>Begins a session around the caller, after another one's if there is a token.</summary>
    internal virtual IDisposable? BeginSession(string? token) => null;

    /// <summary>How the caller's session is captured; null where there is nothing to capture.</summary>
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
            if (_readers.Length == 0) throw new ArgumentException("A router needs a node to read from.", nameof(readers));
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

using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// A client of a <see cref="HistoryRecorder"/>: sends what it is told to send and records what comes back. Each call is stamped before it
/// is sent and after its answer was received. A client may have several operations at once.
/// </summary>
public sealed class RecordedClient
{
    private readonly HistoryRecorder _recorder;
    private readonly int _number;
    private int _losses;

    internal RecordedClient(HistoryRecorder recorder, int number) => (_recorder, _number) = (recorder, number);

    /// <summary>How many losses were reported to it.</summary>
    public int Losses => Volatile.Read(ref _losses);

    /// <summary>Writes a row by a command, such as <c>source.CreateCommand()</c>; its text and parameters are set here.</summary>
    /// <param name="key">The row.</param>
    /// <param name="command">A command that runs on the primary, without text.</param>
    /// <param name="cancellationToken">Gives up; whether the write is committed is then unknown.</param>
    /// <returns>The version that it made.</returns>
    public Task<long> WriteAsync(int key, DbCommand command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return WriteAsync(key, (value, stop) => RecordedSql.WriteAsync(_recorder.Table, command, key, value, stop), cancellationToken);
    }

    /// <summary>
    /// Writes a row by whatever means: the row's <c>ver</c> is raised by one and its <c>val</c> becomes the value given. What is thrown is
    /// recorded, as failed where the server said so and else as unknown, and thrown on.
    /// </summary>
    /// <param name="key">The row.</param>
    /// <param name="write">
    /// Writes the value; returns the version that it made, 0 if it was not told. Completes when the commit is acknowledged.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The version that it made.</returns>
    public async Task<long> WriteAsync(int key, Func<long, CancellationToken, Task<long>> write,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(write);
        _recorder.Enter(this);
        var value = _recorder.NextValue();
        var start = _recorder.Now();
        try
        {
            var version = await write(value, cancellationToken).ConfigureAwait(false);
            Record(version, HistoryOutcome.Acknowledged);
            return version;
        }
        catch (Exception failure)
        {
            Record(version: 0, OutcomeOf(failure));
            throw;
        }

        void Record(long version, HistoryOutcome outcome)
        {
            var end = _recorder.Now();
            _recorder.Record(history => history.Write(_number, start, end, key, version, value, outcome));
        }
    }

    /// <summary>Reads rows by a command, such as <c>source.CreateReadCommand()</c>; its text and parameters are set here.</summary>
    /// <param name="keys">The rows, 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>.</param>
    /// <param name="command">A command without text.</param>
    /// <param name="consistency">What the read has to keep, whatever the command asks for.</param>
    /// <param name="cancellationToken">Gives up; a read without an answer is not recorded.</param>
    public Task<RecordedAnswer> ReadAsync(int[] keys, DbCommand command, Consistency consistency,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return ReadAsync(stop => RecordedSql.ReadAsync(_recorder.Table, command, keys, stop), consistency, cancellationToken);
    }

    /// <summary>Reads rows by whatever means, in one statement.</summary>
    /// <param name="read">Reads them, and returns when all of the answer is there.</param>
    /// <param name="consistency">
    /// What the read has to keep. <see cref="Consistency.Strong"/> counts as <see cref="Consistency.Session"/>.
    /// </param>
    /// <param name="cancellationToken">Gives up; a read without an answer is not recorded.</param>
    public async Task<RecordedAnswer> ReadAsync(Func<CancellationToken, Task<RecordedAnswer>> read, Consistency consistency,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(read);
        _recorder.Enter(this);
        var start = _recorder.Now();
        var answer = await read(cancellationToken).ConfigureAwait(false);
        _recorder.RecordRead(_number, start, _recorder.Now(), answer, GuaranteesOf(consistency), consistency.MaxStaleness);
        return answer;
    }

    /// <summary>The session goes on elsewhere: what this client has received binds whoever takes this.</summary>
    /// <param name="capture">Captures the session's token, such as <c>source.CaptureTokenAsync</c>; null where nothing is carried.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<RecordedHandOver> GiveAsync(Func<CancellationToken, ValueTask<CausalToken>>? capture,
        CancellationToken cancellationToken = default)
    {
        _recorder.Enter(this);
        var (given, losses) = (_recorder.Now(), Losses);
        var token = capture is null ? null : (await capture(cancellationToken).ConfigureAwait(false)).ToString();

        // A loss that the capture itself reported is known to the giver, so what was lost is not handed over.
        return new RecordedHandOver(this, losses == Losses ? given : _recorder.Now(), token);
    }

    /// <summary>This client goes on where another left off. Call it when its session has the token, before its first operation.</summary>
    /// <param name="handOver">What was given.</param>
    public void Take(RecordedHandOver handOver)
    {
        ArgumentNullException.ThrowIfNull(handOver);
        var now = _recorder.Now();
        _recorder.Record(history => history.HandOver(handOver.From._number, _number, handOver.GivenAt, now));
    }

    /// <summary>
    /// The session was told that it lost something. Losses that a watched data source reports are recorded by themselves.
    /// </summary>
    public void ReportLoss()
    {
        var now = _recorder.Now();
        Interlocked.Increment(ref _losses);
        _recorder.Record(history => history.LossReported(_number, now));
    }

    /// <summary>
    /// What the client of a write knows after an exception: that it failed, where the server or the router refused it; else nothing.
    /// </summary>
    [SuppressMessage("Style", "IDE0072", Justification = "All other exceptions tell nothing.")]
    internal static HistoryOutcome OutcomeOf(Exception failure) => failure switch
    {
        // Class 57 ends sessions, possibly between a commit and its answer; class 08 is the connection's.
        PostgresException { SqlState: { } state } =>
            state.StartsWith("57", StringComparison.Ordinal) || state.StartsWith("08", StringComparison.Ordinal)
            ? HistoryOutcome.Unknown : HistoryOutcome.Failed,
        RoutingException => HistoryOutcome.Failed,
        { InnerException: { } inner } when failure is not NpgsqlException => OutcomeOf(inner),
        _ => HistoryOutcome.Unknown,
    };

    private static ReadGuarantees GuaranteesOf(Consistency consistency)
    {
        if (consistency.Demands.HasFlag(ConsistencyDemands.Primary)) return ReadGuarantees.Session;
        return (consistency.Demands.HasFlag(ConsistencyDemands.Written) ? ReadGuarantees.ReadYourWrites : ReadGuarantees.None)
            | (consistency.Demands.HasFlag(ConsistencyDemands.Seen) ? ReadGuarantees.MonotonicReads : ReadGuarantees.None);
    }
}

using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// A client of a <see cref="HistoryRecorder"/>. It sends operations and records their results. Each call is timestamped before it is sent
/// and after its result was received. A client may run several operations at once.
/// </summary>
public sealed class RecordedClient
{
    private readonly HistoryRecorder _recorder;
    private readonly int _number;
    private int _losses;

    internal RecordedClient(HistoryRecorder recorder, int number) => (_recorder, _number) = (recorder, number);

    /// <summary>Number of losses that were reported to the client.</summary>
    public int Losses => Volatile.Read(ref _losses);

    /// <summary>
    /// Writes a row with a command, such as <c>source.CreateCommand()</c>. The method sets the text and parameters of the command.
    /// </summary>
    /// <param name="key">Key of the row.</param>
    /// <param name="command">A command without text that runs on the primary.</param>
    /// <param name="cancellationToken">Cancels the operation. It is then unknown whether the write is committed.</param>
    /// <returns>The version that the write produced.</returns>
    public Task<long> WriteAsync(int key, DbCommand command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return WriteAsync(key, (value, stop) => RecordedSql.WriteAsync(_recorder.Table, command, key, value, stop), cancellationToken);
    }

    /// <summary>
    /// Writes a row with a delegate, which must increment <c>ver</c> and set <c>val</c> to the given value. If the delegate throws, the
    /// write is recorded as failed if the server reported a failure, and otherwise as unknown. The exception is rethrown.
    /// </summary>
    /// <param name="key">Key of the row.</param>
    /// <param name="write">
    /// Writes the value and returns the version that the write produced, or 0 if it is unknown. Completes when the commit is acknowledged.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The version that the write produced.</returns>
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

    /// <summary>
    /// Reads rows with a command, such as <c>source.CreateReadCommand()</c>. The method sets the text and parameters of the command.
    /// </summary>
    /// <param name="keys">Keys of the rows, 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>.</param>
    /// <param name="command">A command without text.</param>
    /// <param name="consistency">The level against which the read is checked, independent of the level that the command requires.</param>
    /// <param name="cancellationToken">Cancels the operation. A read without a result is not recorded.</param>
    public Task<RecordedAnswer> ReadAsync(int[] keys, DbCommand command, Consistency consistency,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return ReadAsync(stop => RecordedSql.ReadAsync(_recorder.Table, command, keys, stop), consistency, cancellationToken);
    }

    /// <summary>Reads rows with a delegate, in one statement.</summary>
    /// <param name="read">Reads the rows. Completes when the entire result has been received.</param>
    /// <param name="consistency">
    /// The level against which the read is checked. <see cref="Consistency.Strong"/> counts as <see cref="Consistency.Session"/>.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation. A read without a result is not recorded.</param>
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

    /// <summary>Hands the session over. What this client has received binds the client that takes the session.</summary>
    /// <param name="capture">
    /// Captures the session's token, such as <c>source.CaptureTokenAsync</c>, or <see langword="null"/> if no token is transferred.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async Task<RecordedHandOver> GiveAsync(Func<CancellationToken, ValueTask<CausalToken>>? capture,
        CancellationToken cancellationToken = default)
    {
        _recorder.Enter(this);
        var (given, losses) = (_recorder.Now(), Losses);
        var token = capture is null ? null : (await capture(cancellationToken).ConfigureAwait(false)).ToString();

        // A loss that the capture itself reported has been reported to the giving client, so what was lost is not handed over.
        return new RecordedHandOver(this, losses == Losses ? given : _recorder.Now(), token);
    }

    /// <summary>Continues another client's session. Call it when the session has the token, before its first operation.</summary>
    /// <param name="handOver">What the other client handed over.</param>
    public void Take(RecordedHandOver handOver)
    {
        ArgumentNullException.ThrowIfNull(handOver);
        var now = _recorder.Now();
        _recorder.Record(history => history.HandOver(handOver.From._number, _number, handOver.GivenAt, now));
    }

    /// <summary>
    /// Records that a loss was reported to the session. Losses that a watched data source reports are recorded automatically.
    /// </summary>
    public void ReportLoss()
    {
        var now = _recorder.Now();
        Interlocked.Increment(ref _losses);
        _recorder.Record(history => history.LossReported(_number, now));
    }

    /// <summary>
    /// The outcome of a write that follows from an exception: failed if the server or the router rejected the write, otherwise unknown.
    /// </summary>
    [SuppressMessage("Style", "IDE0072", Justification = "With all other exceptions the outcome is unknown.")]
    internal static HistoryOutcome OutcomeOf(Exception failure) => failure switch
    {
        // Class 57 ends sessions, possibly between a commit and its response. Class 08 is a connection failure.
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
            | (consistency.Demands.HasFlag(ConsistencyDemands.Observed) ? ReadGuarantees.MonotonicReads : ReadGuarantees.None);
    }
}

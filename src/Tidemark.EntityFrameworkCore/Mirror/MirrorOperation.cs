using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// One query under a mirror that may leave the primary. It runs on the shared connection. If that connection plays a replica, PostgreSQL
/// refuses to write.
/// </summary>
internal sealed class MirrorOperation(Mirror mirror, SentCommand command, ContextState state,
    RelationalCommandParameterObject parameters)
    : IReadOperation<RelationalDataReader>
{
    private RouteDecision _decision;
    private bool _isWrite;

    public bool RunsCallersCommand => true;

    // The test's connection does not break, so the server has answered whatever fails on it.
    public bool MayHaveWritten => false;

    public ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken)
    {
        (_decision, _isWrite) = (decision, isWrite);
        state.Attempt(decision, isWrite);
        mirror.Routes.Note(decision, command.CommandText, isQuery: true);
        return new ValueTask<ConnectionCheck>(ConnectionCheck.None);
    }

    public async ValueTask<RelationalDataReader?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        if (!_decision.IsReplica)
            return await command.SendAsync(parameters, state.Pending, io, cancellationToken).ConfigureAwait(false);
        var read = await MirroredRead.BeginAsync(mirror.Connection, io, cancellationToken).ConfigureAwait(false);
        try
        {
            var reader = await command.SendAsync(parameters, state.Pending, io, cancellationToken).ConfigureAwait(false);

            // Rows that EF Core has buffered are already read completely. Other rows are read until the reader closes.
            if (reader.DbDataReader is NpgsqlDataReader) ((PositionedDataReader)reader).AfterClose(read.EndAsync);
            else await read.EndAsync(io).ConfigureAwait(false);
            return reader;
        }
        catch
        {
            await read.EndAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    public void Deliver()
    {
        if (_isWrite) Mirror.NoteWritten(_decision, state.Session);
        else Mirror.NoteObserved(_decision, state.Session);
    }

    public ValueTask CloseAsync(IoMode io) => ValueTask.CompletedTask;
}

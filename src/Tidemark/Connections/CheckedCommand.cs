using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>A read that shows its rows only when the node shows, in the same round trip, what the read needs.</summary>
internal sealed class CheckedCommand : NpgsqlCommand
{
    private readonly ReadProof _proof;

    /// <param name="plain">The command; its text and parameters move here.</param>
    /// <param name="connection">An open connection to a replica.</param>
    /// <param name="proof">What the node must show.</param>
    public CheckedCommand(NpgsqlCommand plain, NpgsqlConnection connection, ReadProof proof)
        : base(plain.CommandText, connection)
    {
        _proof = proof;
        BatchText.Move(plain, this);
    }

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        ReadCheck.Execute(Connection!, this, _proof, behavior) ?? throw new ReplicaBehindException();

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        await ReadCheck.ExecuteAsync(Connection!, this, _proof, behavior, cancellationToken).ConfigureAwait(false) ?? throw new ReplicaBehindException();
}

/// <summary>
/// The node did not show what the read needs; the attempt is given up. A cancellation, so that EF Core notes it as one and logs no error for what the next
/// attempt mends. It never reaches the caller.
/// </summary>
#pragma warning disable CA1032, CA1064 // Nobody else makes or catches it.
internal sealed class ReplicaBehindException() : OperationCanceledException("The replica has not replayed what the read must include.");
#pragma warning restore CA1032, CA1064

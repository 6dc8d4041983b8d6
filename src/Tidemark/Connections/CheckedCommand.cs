using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>A read that shows its rows only when the replica proves, in the same round trip, that it has the place.</summary>
internal sealed class CheckedCommand : NpgsqlCommand
{
    private readonly Place _place;

    /// <param name="plain">The command; its text and parameters move here.</param>
    /// <param name="connection">An open connection to a replica.</param>
    /// <param name="place">What the replica must have replayed.</param>
    public CheckedCommand(NpgsqlCommand plain, NpgsqlConnection connection, Place place)
        : base(plain.CommandText, connection)
    {
        _place = place;
        BatchText.Move(plain, this);
    }

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        ReadCheck.Execute(Connection!, this, _place, behavior) ?? throw new ReplicaBehindException();

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        await ReadCheck.ExecuteAsync(Connection!, this, _place, behavior, cancellationToken).ConfigureAwait(false) ?? throw new ReplicaBehindException();
}

/// <summary>
/// The replica does not have the place; the attempt is given up. A cancellation, so that EF Core notes it as one and logs no error for what the next
/// attempt mends. It never reaches the caller.
/// </summary>
#pragma warning disable CA1032, CA1064 // Nobody else makes or catches it.
internal sealed class ReplicaBehindException() : OperationCanceledException("The replica has not replayed what the read must include.");
#pragma warning restore CA1032, CA1064

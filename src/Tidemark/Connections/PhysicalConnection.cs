using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;

#pragma warning disable NPG9001 // The connector is only looked at: nothing public tells what it tells.

namespace Tidemark;

/// <summary>
/// The physical connection behind an open <see cref="NpgsqlConnection"/>. It is looked at after that was closed, when the pool may have
/// given it to another user: what it says then is on the safe side, a connection used or broken by somebody else counts as used or broken
/// here.
/// A version of Npgsql that keeps it elsewhere shows none (<c>PhysicalConnectionTests</c>).
/// </summary>
internal sealed class PhysicalConnection
{
    private static volatile bool _isHidden;

    private readonly NpgsqlConnector _connector;

    private PhysicalConnection(NpgsqlConnector connector) => _connector = connector;

    /// <summary>
    /// It broke. A connection object that its reader has closed (<c>CommandBehavior.CloseConnection</c>) does not say so itself.
    /// </summary>
    public bool IsBroken => Broken(_connector);

    /// <summary>
    /// How much the server has said on it so far: the same number later means that no statement was answered in between. -1: it broke.
    /// </summary>
    public long Received => ReadBuffer(_connector) is { } buffer ? CumulativeReadPosition(buffer) : -1;

    /// <summary>The physical connection of an open connection; <see langword="null"/>: it is not shown.</summary>
    public static PhysicalConnection? Of(NpgsqlConnection connection)
    {
        if (_isHidden) return null;
        try
        {
            if (Connector(connection) is not { } connector) return null;
            var found = new PhysicalConnection(connector);
            _ = (found.IsBroken, found.Received);
            return found;
        }
        catch (Exception hidden) when (hidden is MissingMemberException or TypeLoadException)
        {
            _isHidden = true;
            return null;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector? Connector(NpgsqlConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_IsBroken")]
    private static extern bool Broken(NpgsqlConnector connector);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_ReadBuffer")]
    [return: UnsafeAccessorType("Npgsql.Internal.NpgsqlReadBuffer, Npgsql")]
    private static extern object? ReadBuffer(NpgsqlConnector connector);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_CumulativeReadPosition")]
    private static extern long CumulativeReadPosition([UnsafeAccessorType("Npgsql.Internal.NpgsqlReadBuffer, Npgsql")] object buffer);
}

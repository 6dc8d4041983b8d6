using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;

#pragma warning disable NPG9001 // Only reads the connector: no public API exposes these values.

namespace Tidemark;

/// <summary>The physical connection of an open <see cref="NpgsqlConnection"/>.</summary>
/// <remarks>
/// It is inspected after that connection was closed, when the pool may have assigned it to another user. The result errs on the safe side:
/// a connection used or broken by the other user counts as used or broken here. Returns none with a version of Npgsql that keeps it
/// elsewhere (<c>PhysicalConnectionTests</c>).
/// </remarks>
internal sealed class PhysicalConnection
{
    private static volatile bool _isHidden;

    private readonly NpgsqlConnector _connector;

    private PhysicalConnection(NpgsqlConnector connector) => _connector = connector;

    /// <summary>
    /// Whether the connection broke. A connection object that was closed by its reader (<c>CommandBehavior.CloseConnection</c>) does not
    /// report this itself.
    /// </summary>
    public bool IsBroken => Broken(_connector);

    /// <summary>
    /// Number of bytes received from the server so far, or -1 if the connection broke. The same number later means that no statement was
    /// answered in between.
    /// </summary>
    public long Received => ReadBuffer(_connector) is { } buffer ? CumulativeReadPosition(buffer) : -1;

    /// <summary>Returns the physical connection of an open connection, or <see langword="null"/> if Npgsql does not expose it.</summary>
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

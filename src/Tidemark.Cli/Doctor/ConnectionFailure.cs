using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>Why a node could not be asked, and what mends it. Quotes no connection string: one holds a password.</summary>
internal sealed record ConnectionFailure(string Reason, string Remedy)
{
    public static ConnectionFailure Of(Exception failure, NpgsqlConnectionStringBuilder target, TimeSpan timeout) => failure switch
    {
        PostgresException refused => Refused(refused, target),
        OperationCanceledException or TimeoutException or { InnerException: TimeoutException } => new(
            $"{Position(target)} accepts connections or drops them silently, and said nothing within {timeout.TotalSeconds:0.#} s",
            "Look whether the server is stopped or overloaded, whether a firewall drops the packets, and whether that port is "
                + "PostgreSQL's."),
        _ when Socket(failure) is { } socket => Unreachable(socket, target),
        NpgsqlException { InnerException: EndOfStreamException or IOException } => Closed(target),
        NpgsqlException when failure.Message.StartsWith("No password has been provided", StringComparison.Ordinal) => new(
            $"{Position(target)} wants a password of role {target.Username}, and none was given",
                "Put it into the connection string, PGPASSWORD or a passfile."),
        _ => new($"{Position(target)} did not answer as PostgreSQL does: {OneLine(failure.Message)}",
            "Look whether that port is PostgreSQL's, and at what the connection string says of SSL and authentication."),
    };

    private static ConnectionFailure Refused(PostgresException refused, NpgsqlConnectionStringBuilder target) => refused.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword => new(
            $"{Position(target)} refuses the password of role {target.Username}",
                "Give the right one, or set it: \\password in psql, or ALTER ROLE … PASSWORD."),
        PostgresErrorCodes.InvalidAuthorizationSpecification => new(
            $"{Position(target)} does not let role {target.Username} in: {OneLine(refused.MessageText)}",
                "Create the role, or add a line for it to pg_hba.conf and SELECT pg_reload_conf()."),
        PostgresErrorCodes.InvalidCatalogName => new(
            $"{Position(target)} has no database {target.Database ?? target.Username}",
                "Name the application's database in the connection string. A replica has it once it has replayed CREATE DATABASE."),
        // One code for three limits; the routine of the server that refused says which, in any language.
        PostgresErrorCodes.TooManyConnections when refused.Routine == "InitializeSessionUserId" => new(
            $"{Position(target)} has no connection left for role {target.Username}: {OneLine(refused.MessageText)}",
                "Make the pools smaller, or raise the role's limit: ALTER ROLE … CONNECTION LIMIT."),
        PostgresErrorCodes.TooManyConnections when refused.Routine == "CheckMyDatabase" => new(
            $"{Position(target)} has no connection left for database {target.Database}: {OneLine(refused.MessageText)}",
                "Make the pools smaller, or raise the database's limit: ALTER DATABASE … CONNECTION LIMIT."),
        PostgresErrorCodes.TooManyConnections => new(
            $"{Position(target)} has no connection left: {OneLine(refused.MessageText)}",
                "Make the pools smaller, or raise max_connections, on the standbys first; SELECT * FROM pg_stat_activity shows who "
                + "holds them."),
        PostgresErrorCodes.CannotConnectNow => new(
            $"{Position(target)} is not ready: {OneLine($"{refused.MessageText} {refused.Detail}")}",
                "Wait for it to start; a standby answers only with hot_standby = on, and once it is consistent."),
        _ => new($"{Position(target)} refuses the connection: {refused.SqlState}: {OneLine(refused.MessageText)}",
            "Look into the server's log."),
    };

    private static ConnectionFailure Unreachable(SocketException failure, NpgsqlConnectionStringBuilder target) =>
        failure.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => new(
            $"nothing listens at {Position(target)}",
                "Start the server, or correct host and port; listen_addresses decides where it listens."),
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => new(
            $"the name {target.Host} is not known", "Correct the host in the connection string, or the name service."),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => Closed(target),
        _ => new($"{Position(target)} cannot be reached: {OneLine(failure.Message)}", "Look at the network between here and there."),
    };

    private static ConnectionFailure Closed(NpgsqlConnectionStringBuilder target) => new(
        $"{Position(target)} closed the connection before it had answered as PostgreSQL does",
            "Look whether that port is PostgreSQL's, and into the server's log.");

    private static string Position(NpgsqlConnectionStringBuilder target) => $"{target.Host}:{target.Port}";

    private static SocketException? Socket(Exception? failure)
    {
        for (; failure is not null; failure = failure is AggregateException several ? several.InnerExceptions[0] : failure.InnerException)
            if (failure is SocketException socket) return socket;
        return null;
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}

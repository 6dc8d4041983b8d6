using System.Net.Sockets;
using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>Why a connection to a node failed, and how to fix it. Never quotes a connection string, since it may hold a password.</summary>
internal sealed record ConnectionFailure(string Reason, string Remedy)
{
    public static ConnectionFailure Of(Exception failure, NpgsqlConnectionStringBuilder target, TimeSpan timeout) => failure switch
    {
        PostgresException refused => Refused(refused, target),
        OperationCanceledException or TimeoutException or { InnerException: TimeoutException } => new(
            $"{Position(target)} did not respond within {timeout.TotalSeconds:0.#} s",
            "Check whether the server is suspended or overloaded, whether a firewall drops the packets, and whether the port belongs to "
                + "PostgreSQL."),
        _ when Socket(failure) is { } socket => Unreachable(socket, target),
        NpgsqlException { InnerException: EndOfStreamException or IOException } => Closed(target),
        NpgsqlException when failure.Message.StartsWith("No password has been provided", StringComparison.Ordinal) => new(
            $"{Position(target)} requires a password for role {target.Username}, and none was given",
                "Set the password in the connection string, PGPASSWORD or a passfile."),
        _ => new($"{Position(target)} sent a response that is not PostgreSQL's: {OneLine(failure.Message)}",
            "Check whether the port belongs to PostgreSQL, and the SSL and authentication settings in the connection string."),
    };

    private static ConnectionFailure Refused(PostgresException refused, NpgsqlConnectionStringBuilder target) => refused.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword => new(
            $"{Position(target)} rejects the password of role {target.Username}",
                "Give the correct password, or change it: \\password in psql, or ALTER ROLE … PASSWORD."),
        PostgresErrorCodes.InvalidAuthorizationSpecification => new(
            $"{Position(target)} does not admit role {target.Username}: {OneLine(refused.MessageText)}",
                "Create the role, or add a line for it to pg_hba.conf and run SELECT pg_reload_conf()."),
        PostgresErrorCodes.InvalidCatalogName => new(
            $"{Position(target)} has no database {target.Database ?? target.Username}",
                "Specify the application's database in the connection string. A replica has it once it has replayed CREATE DATABASE."),
        // The three limits share one SQLSTATE. The name of the server routine distinguishes them in any language.
        PostgresErrorCodes.TooManyConnections when refused.Routine == "InitializeSessionUserId" => new(
            $"{Position(target)} has no free connections for role {target.Username}: {OneLine(refused.MessageText)}",
                "Reduce the pool sizes, or raise the limit of the role: ALTER ROLE … CONNECTION LIMIT."),
        PostgresErrorCodes.TooManyConnections when refused.Routine == "CheckMyDatabase" => new(
            $"{Position(target)} has no free connections for database {target.Database}: {OneLine(refused.MessageText)}",
                "Reduce the pool sizes, or raise the limit of the database: ALTER DATABASE … CONNECTION LIMIT."),
        PostgresErrorCodes.TooManyConnections => new(
            $"{Position(target)} has no free connections: {OneLine(refused.MessageText)}",
                "Reduce the pool sizes, or raise max_connections, on the standbys first. SELECT * FROM pg_stat_activity lists the "
                + "open connections."),
        PostgresErrorCodes.CannotConnectNow => new(
            $"{Position(target)} is not ready: {OneLine($"{refused.MessageText} {refused.Detail}")}",
                "Wait for it to start. A standby accepts connections only with hot_standby = on, and once it is consistent."),
        _ => new($"{Position(target)} rejected the connection: {refused.SqlState}: {OneLine(refused.MessageText)}",
            "Check the server log."),
    };

    private static ConnectionFailure Unreachable(SocketException failure, NpgsqlConnectionStringBuilder target) =>
        failure.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => new(
            $"connection refused: no server listens on {Position(target)}",
                "Start the server, or correct the host and port. listen_addresses decides on which addresses it listens."),
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => new(
            $"the host name {target.Host} cannot be resolved", "Correct the host in the connection string, or fix the DNS."),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => Closed(target),
        _ => new($"{Position(target)} cannot be reached: {OneLine(failure.Message)}",
            "Check the network between this machine and the server."),
    };

    private static ConnectionFailure Closed(NpgsqlConnectionStringBuilder target) => new(
        $"{Position(target)} closed the connection before sending a PostgreSQL response",
            "Check whether the port belongs to PostgreSQL, and check the server log.");

    private static string Position(NpgsqlConnectionStringBuilder target) => $"{target.Host}:{target.Port}";

    private static SocketException? Socket(Exception? failure)
    {
        for (; failure is not null; failure = failure is AggregateException several ? several.InnerExceptions[0] : failure.InnerException)
            if (failure is SocketException socket) return socket;
        return null;
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}

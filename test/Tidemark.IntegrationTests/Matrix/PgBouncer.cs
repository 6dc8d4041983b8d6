using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tidemark.Testing;

namespace Tidemark.Matrix;

/// <summary>
/// One PgBouncer in transaction mode in front of one server, on a loopback port. It ends with this object and with the test process, even
/// if that process is killed. For root, it runs as the unprivileged user of the servers.
/// </summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private const int Attempts = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    // The shell reads from a pipe whose other end only this process holds. When this process ends, for any reason, the read returns.
    private const string Script = "\"$@\" </dev/null & bouncer=$!; cat >/dev/null; kill -KILL $bouncer; wait $bouncer 2>/dev/null";

    private readonly Process _shell;
    private readonly string _folder;
    private readonly ConcurrentQueue<string> _log = new();

    private PgBouncer(Process shell, string folder, int port)
    {
        (_shell, _folder, Port) = (shell, folder, port);
        _shell.ErrorDataReceived += (_, line) => _log.Enqueue(line.Data ?? "");
        _shell.BeginErrorReadLine();
    }

    public int Port { get; }

    /// <summary>Starts a PgBouncer and waits until it accepts connections.</summary>
    /// <param name="server">The port of the server.</param>
    /// <param name="users">The roles that may connect, without passwords.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    public static async Task<PgBouncer> StartAsync(int server, IEnumerable<string> users, CancellationToken cancellationToken)
    {
        var program = await PgBouncerProgram.ObtainAsync(cancellationToken);
        var roles = string.Join('\n', users.Select(user => $"\"{user}\" \"\""));
        for (var attempt = 1; ; attempt++)
        {
            var bouncer = await LaunchAsync(program, server, FreePort(), roles, cancellationToken);
            try
            {
                await bouncer.UntilAcceptingAsync(cancellationToken);
                return bouncer;
            }
            catch (InvalidOperationException) when (attempt < Attempts)
            {
                // Another process may have taken the port in the meantime.
                await bouncer.DisposeAsync();
            }
            catch
            {
                await bouncer.DisposeAsync();
                throw;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<PgBouncer> LaunchAsync(
        PgBouncerProgram program, int server, int port, string roles, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Path.GetTempPath(), $"tidemark-pgbouncer-{Guid.NewGuid():N}");
        UnixFolder.MakeReadable(folder);
        var (settings, users) = (Path.Combine(folder, "pgbouncer.ini"), Path.Combine(folder, "users.txt"));
        await File.WriteAllTextAsync(users, roles + "\n", cancellationToken);
        await File.WriteAllTextAsync(settings, string.Create(CultureInfo.InvariantCulture, $"""
            [databases]
            * = host=127.0.0.1 port={server}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {users}
            pool_mode = transaction
            max_client_conn = 500
            default_pool_size = 40
            ignore_startup_parameters = extra_float_digits,options
            server_login_retry = 0.2

            """), cancellationToken);
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
            File.SetUnixFileMode(settings, readable);
            File.SetUnixFileMode(users, readable);
        }

        var user = ServerUser.Choose(SearchEnvironment.Current());
        var description = ExternalProgram.Describe(user.Run("/bin/sh", "-c", Script, "sh", program.Path, settings));
        description.WorkingDirectory = "/";
        description.RedirectStandardInput = true;
        description.RedirectStandardError = true;
        if (program.Libraries is { } libraries) description.Environment["LD_LIBRARY_PATH"] = libraries;
        return new PgBouncer(Process.Start(description)!, folder, port);
    }

    private async Task UntilAcceptingAsync(CancellationToken cancellationToken)
    {
        var isAccepting = await Poll.UntilAsync(AcceptsAsync, Patience, TimeProvider.System, cancellationToken);
        if (!isAccepting) throw new InvalidOperationException($"PgBouncer did not start:\n{string.Join('\n', _log)}");
    }

    private async ValueTask<bool> AcceptsAsync()
    {
        if (_log.Any(line => line.Contains("FATAL", StringComparison.Ordinal)))
            throw new InvalidOperationException($"PgBouncer did not start:\n{string.Join('\n', _log)}");
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

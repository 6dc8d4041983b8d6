using System.Diagnostics;

namespace Tidemark.Testing;

/// <summary>
/// A shell that outlives us by a moment: when its standard input ends, because we closed it or because we are gone, it stops the
/// servers of one cluster and deletes the folder. The one way in which clusters are cleaned up, however the process ends.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    // A process is a server of this cluster only if its command line says so: process ids are used again.
    // An immediate stop, not a kill, lets PostgreSQL give its shared memory back; what a killed server left of it is removed here.
    private const string Script = """
        exec >/dev/null 2>&1
        trap '' INT TERM HUP
        folder=$1
        while read -r _; do :; done

        is_ours() {
            if [ -e /proc/self/cmdline ]; then command=$(tr '\000' ' ' <"/proc/$1/cmdline")
            else command="$(ps -p "$1" -o command=) "; fi
            case $command in *"postgres -D $2 "*) return 0 ;; esac
            return 1
        }

        stop() {
            pid=$(head -n 1 "$1/postmaster.pid")
            memory=$(sed -n '7s/^ *[0-9]* *//p' "$1/postmaster.pid")
            if is_ours "$pid" "$1"; then
                kill -QUIT "$pid"
                tries=0
                while is_ours "$pid" "$1"; do
                    tries=$((tries + 1))
                    if [ "$tries" -gt 400 ]; then kill -KILL "$pid"; fi
                    sleep 0.02
                done
            fi
            if [ -n "$memory" ] && [ -e "$1/postmaster.pid" ]; then ipcrm -m "$memory"; fi
        }

        rounds=0
        while [ -e "$folder" ] && [ "$rounds" -lt 100 ]; do
            for data in "$folder"/*/; do
                data=${data%/}
                if [ -e "$data/postmaster.pid" ]; then stop "$data" & fi
            done
            wait
            rm -rf "$folder" || sleep 0.05
            rounds=$((rounds + 1))
        done
        """;

    private readonly Process _process;

    private Watchdog(Process process) => _process = process;

    /// <summary>Starts one that waits for our end.</summary>
    public static Watchdog Start(string folder, string? setsid)
    {
        // A session of its own, or Ctrl-C would reach it before the servers are stopped.
        var description = Command.Describe([.. setsid is null ? [] : new[] { setsid }, .. Cleaning(folder)]);
        description.RedirectStandardInput = true;
        description.WorkingDirectory = "/";
        return new Watchdog(Process.Start(description)!);
    }

    /// <summary>Cleans up now, without a watchdog that waits.</summary>
    public static Task CleanAsync(string folder) => Command.RunAsync(Cleaning(folder), CancellationToken.None);

    /// <summary>Tells it that the time has come, and waits until it is done.</summary>
    public async Task FinishAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync().ConfigureAwait(false);
    }

    public void Dispose() => _process.Dispose();

    private static string[] Cleaning(string folder) => ["/bin/sh", "-c", Script, "tidemark-watchdog", folder];
}

using System.Diagnostics;

namespace Tidemark.Testing;

/// <summary>
/// A shell process that briefly outlives this process. Its standard input ends when this process closes it or ends. The shell then stops
/// the servers of one cluster and deletes the folder, unless it received <c>keep</c>. All clusters are cleaned up this way, however the
/// process ends.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    // The shell's working folder is the cluster's folder, so that it never deletes a newer folder with the same name.
    // A process is a server of this cluster only if its command line or its working folder shows that: process ids are reused.
    // An immediate stop, not a kill, lets PostgreSQL free its shared memory. The script removes what a killed server left, if it has the
    // key that belongs to the data (ids are reused here, too) and no process uses it. postmaster.pid contains a negative key plus 2^64.
    private const string Script = """
        exec >/dev/null 2>&1
        trap '' INT TERM HUP
        folder=$1
        cd "$folder" || exit 1
        while read -r word; do
            if [ "$word" = keep ]; then exit 0; fi
        done

        is_ours() {
            if [ -e /proc/self/cmdline ]; then command=$(tr '\000' ' ' <"/proc/$1/cmdline")
            else command="$(ps -p "$1" -o command=) "; fi
            case $command in
                *"postgres -D $2 "*) return 0 ;;
                *postgres*) [ "/proc/$1/cwd" -ef "$2" ] ;;
                *) return 1 ;;
            esac
        }

        users_of_memory() {
            if [ -e /proc/sysvipc/shm ]; then awk -v key="$1" -v id="$2" '$1 == key && $2 == id { print $7 }' /proc/sysvipc/shm
            else ipcs -m -o | awk -v key="$(printf '0x%08x' "$(($1 & 4294967295))")" -v id="$2" '$3 == key && $2 == id { print $NF }'; fi
        }

        forget_memory() {
            key=$1
            case $key in 184467440???????????) key=$((${key#184467440} - 73709551616)) ;; esac
            tries=0
            while [ "$tries" -lt 50 ]; do
                case $(users_of_memory "$key" "$2") in
                    0) ipcrm -m "$2"; return ;;
                    '') return ;;
                esac
                tries=$((tries + 1))
                sleep 0.02
            done
        }

        stop() {
            pid=$(head -n 1 "$1/postmaster.pid")
            memory=$(sed -n 7p "$1/postmaster.pid")
            if is_ours "$pid" "$1"; then
                kill -QUIT "$pid"
                tries=0
                while is_ours "$pid" "$1"; do
                    tries=$((tries + 1))
                    if [ "$tries" -gt 400 ]; then kill -KILL "$pid"; fi
                    sleep 0.02
                done
            fi
            if [ -n "$memory" ] && [ -e "$1/postmaster.pid" ]; then forget_memory $memory; fi
        }

        rounds=0
        while [ . -ef "$folder" ] && [ "$rounds" -lt 100 ]; do
            for data in "$folder"/*/; do
                data=${data%/}
                if [ -e "$data/postmaster.pid" ]; then stop "$data" & fi
            done
            wait
            if [ . -ef "$folder" ]; then rm -rf "$folder" || sleep 0.05; fi
            rounds=$((rounds + 1))
        done
        """;

    private readonly Process _process;

    private Watchdog(Process process) => _process = process;

    /// <summary>Starts a watchdog that waits for this process to end.</summary>
    public static Watchdog Start(string folder, string? setsid)
    {
        // In a session of its own; otherwise Ctrl-C would reach it before the servers are stopped.
        var description = ExternalProgram.Describe([.. setsid is null ? [] : new[] { setsid }, .. Cleaning(folder)]);
        description.RedirectStandardInput = true;
        description.WorkingDirectory = "/";
        return new Watchdog(Process.Start(description)!);
    }

    /// <summary>Stops the servers and deletes the folder now.</summary>
    public static Task CleanAsync(string folder) => ExternalProgram.RunAsync(Cleaning(folder), CancellationToken.None);

    /// <summary>Starts the cleanup by the watchdog and waits until it is complete.</summary>
    public async Task FinishAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync().ConfigureAwait(false);
    }

    /// <summary>Ends the watchdog without a cleanup and waits until it has ended.</summary>
    public async Task KeepAsync()
    {
        await _process.StandardInput.WriteAsync("keep\n").ConfigureAwait(false);
        await FinishAsync().ConfigureAwait(false);
    }

    public void Dispose() => _process.Dispose();

    private static string[] Cleaning(string folder) => ["/bin/sh", "-c", Script, "tidemark-watchdog", folder];
}

using System.Runtime.InteropServices;

namespace Tidemark.Testing;

/// <summary>
/// Everything that decides where PostgreSQL is searched for and cached. It is a value, so that a test can define the contents of a machine.
/// </summary>
internal sealed record SearchEnvironment
{
    /// <summary>The variable for the folder with <c>initdb</c> and <c>postgres</c>. If it is set, no other folder is searched.</summary>
    public const string BinVariable = "TIDEMARK_PG_BIN";

    /// <summary>The variable for the folder of downloads and templates.</summary>
    public const string CacheVariable = "TIDEMARK_CACHE";

    /// <summary>The variable for the folder of kept clusters.</summary>
    public const string ClustersVariable = "TIDEMARK_CLUSTERS";

    /// <summary>The value of <see cref="BinVariable"/>.</summary>
    public string? ChosenBin { get; init; }

    /// <summary>The folders of <c>PATH</c>.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>The folders in which installers place PostgreSQL. A <c>*</c> matches any part of one folder name.</summary>
    public required IReadOnlyList<string> UsualFolders { get; init; }

    /// <summary>The folder of downloads and templates.</summary>
    public required string Cache { get; init; }

    /// <summary>The folder of kept clusters.</summary>
    public required string Clusters { get; init; }

    /// <summary>The platform as named by npm, such as <c>linux-x64</c>.</summary>
    public required string Platform { get; init; }

    public required bool IsRoot { get; init; }

    public required string UserName { get; init; }

    public static SearchEnvironment Current()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string Under(string variable, string otherwise) =>
            Environment.GetEnvironmentVariable(variable) is { Length: > 0 } xdg ? xdg : System.IO.Path.Combine(home, otherwise);

        return new SearchEnvironment
        {
            ChosenBin = Environment.GetEnvironmentVariable(BinVariable) is { Length: > 0 } bin ? bin : null,
            Path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries),
            UsualFolders =
            [
                "/usr/lib/postgresql/*/bin",                                    // Debian, Ubuntu
                "/usr/pgsql-*/bin",                                             // RHEL and Fedora, packages of postgresql.org
                "/usr/lib/postgresql*/bin",                                     // SUSE
                "/usr/libexec/postgresql*",                                     // Alpine
                "/opt/homebrew/opt/postgresql@*/bin",
                "/usr/local/opt/postgresql@*/bin",
                "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
                "/Applications/Postgres.app/Contents/Versions/*/bin",
                "/usr/local/pgsql/bin",                                         // built from source
            ],
            // The user that runs the servers cannot read root's home.
            Cache = Environment.GetEnvironmentVariable(CacheVariable) is { Length: > 0 } cache ? cache
                : Environment.IsPrivilegedProcess ? "/var/cache/tidemark"
                : System.IO.Path.Combine(Under("XDG_CACHE_HOME", ".cache"), "tidemark"),
            // Resolved, because the kernel reports a server's working folder without links, and servers are identified by that folder.
            Clusters = UnixFolder.Resolve(Environment.GetEnvironmentVariable(ClustersVariable) is { Length: > 0 } clusters ? clusters
                : Environment.IsPrivilegedProcess ? "/var/lib/tidemark/clusters"
                : System.IO.Path.Combine(Under("XDG_STATE_HOME", ".local/state"), "tidemark", "clusters")),
            Platform = (OperatingSystem.IsMacOS() ? "darwin-" : "linux-")
                + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64"),
            IsRoot = Environment.IsPrivilegedProcess,
            UserName = Environment.UserName,
        };
    }

    /// <summary>Returns the full path of a program in <c>PATH</c>, or <c>null</c> if it is not there.</summary>
    public string? FindProgram(string name) =>
        Path.Select(folder => System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}

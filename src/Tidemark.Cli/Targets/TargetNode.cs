using Npgsql;

namespace Tidemark.Cli.Targets;

/// <summary>One node of a <see cref="ClusterTarget"/>.</summary>
/// <param name="name">The name of the node.</param>
/// <param name="settings">The connection settings.</param>
internal sealed class TargetNode(string name, NpgsqlConnectionStringBuilder settings)
{
    // The maximum that Npgsql accepts.
    private const int MaxTimeoutSeconds = 1024;

    /// <summary>The name of the node.</summary>
    public string Name { get; } = name;

    /// <summary>The connection settings, which may contain a password.</summary>
    public NpgsqlConnectionStringBuilder Settings { get; } = settings;

    /// <summary>Host and port, without secrets.</summary>
    public string Address => $"{Settings.Host}:{Settings.Port}";

    /// <summary>
    /// Returns a connection string for one query that times out after about <paramref name="patience"/> if the server does not respond.
    /// </summary>
    public string Within(TimeSpan patience)
    {
        var seconds = Math.Max(1, (int)Math.Ceiling(patience.TotalSeconds));
        return new NpgsqlConnectionStringBuilder(Settings.ConnectionString) { Pooling = false,
            Timeout = Math.Min(seconds, MaxTimeoutSeconds), CommandTimeout = seconds, CancellationTimeout = -1 }.ConnectionString;
    }

    /// <inheritdoc/>
    public override string ToString() => Name == Address ? Name : $"{Name} ({Address})";
}

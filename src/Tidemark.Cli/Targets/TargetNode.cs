using Npgsql;

namespace Tidemark.Cli.Targets;

/// <summary>One node of a <see cref="ClusterTarget"/>.</summary>
/// <param name="name">Its name.</param>
/// <param name="settings">How to reach it.</param>
internal sealed class TargetNode(string name, NpgsqlConnectionStringBuilder settings)
{
    // Npgsql takes no more.
    private const int MaxTimeoutSeconds = 1024;

    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>How to reach it. Holds a password, perhaps.</summary>
    public NpgsqlConnectionStringBuilder Settings { get; } = settings;

    /// <summary>Where it is, without a secret.</summary>
    public string Address => $"{Settings.Host}:{Settings.Port}";

    /// <summary>How to reach it for one question, which ends in about this time though the server says nothing.</summary>
    public string Within(TimeSpan patience)
    {
        var seconds = Math.Max(1, (int)Math.Ceiling(patience.TotalSeconds));
        return new NpgsqlConnectionStringBuilder(Settings.ConnectionString) { Pooling = false,
            Timeout = Math.Min(seconds, MaxTimeoutSeconds), CommandTimeout = seconds, CancellationTimeout = -1 }.ConnectionString;
    }

    /// <inheritdoc/>
    public override string ToString() => Name == Address ? Name : $"{Name} ({Address})";
}

using System.Globalization;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Tidemark;

/// <summary>Finds all errors in the options at once. Each error contains the path, the value and the remedy.</summary>
internal sealed class TidemarkOptionsValidator : IValidateOptions<TidemarkOptions>
{
    private const double MaxWeight = 1000;
    private static readonly TimeSpan MinProbe = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxProbe = TimeSpan.FromMinutes(1);

    /// <summary>The path of the options in the application's configuration, for error messages.</summary>
    public string Path { get; init; } = "Tidemark";

    public ValidateOptionsResult Validate(string? name, TidemarkOptions options)
    {
        var errors = Check(options);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>Throws an exception that lists all errors, one per line.</summary>
    public static void ThrowIfInvalid(TidemarkOptions options)
    {
        var errors = new TidemarkOptionsValidator().Check(options);
        if (errors.Count == 0) return;
        throw new OptionsValidationException("Tidemark", typeof(TidemarkOptions), errors);
    }

    private List<string> Check(TidemarkOptions options)
    {
        var errors = new List<string>();
        if (options.Nodes.Count is 0 or > TidemarkOptions.MaxNodes)
        {
            errors.Add(Error("Nodes", options.Nodes.Count,
                $"A cluster has 1 to {TidemarkOptions.MaxNodes} nodes. Configure each with its connection string, or call AddNode."));
        }

        foreach (var (name, node) in options.Nodes) CheckNode(name, node, errors);
        CheckSameDatabase(options, errors);
        CheckRange("ProbeInterval", options.ProbeInterval, errors);
        CheckRange("ProbeTimeout", options.ProbeTimeout, errors);
        CheckBound("MaxStaleness", options.MaxStaleness, options, errors);
        CheckBound("DefaultConsistency", options.DefaultConsistency.MaxStaleness, options, errors);
        if (options.ReadWait < TimeSpan.Zero || options.ReadWait > TimeSpan.FromSeconds(10))
            errors.Add(Error("ReadWait", options.ReadWait, "Use a time from 0 (never wait) to 10 seconds, such as 00:00:00.010."));
        if (options.TokenKey is { Length: < 32 })
            errors.Add($"{Path}:TokenKey has {options.TokenKey.Length} characters. Use at least 32 that cannot be guessed, or leave it "
                + "out for unsigned tokens.");
        if (options.TokenLifetime < TimeSpan.FromSeconds(1) || options.TokenLifetime > TimeSpan.FromDays(30))
            errors.Add(Error("TokenLifetime", options.TokenLifetime, "Use a time from 1 second to 30 days, such as 01:00:00."));
        if (options.MaxWaitingReads is < 0 or > 1_000_000)
            errors.Add(Error("MaxWaitingReads", options.MaxWaitingReads, "Use a number from 0 to 1,000,000."));
        if (options.SystemIdentifier == 0)
            errors.Add(Error("SystemIdentifier", 0,
                "Use the result of SELECT system_identifier FROM pg_control_system() on the primary, or leave it out."));
        if (!(options.PrimaryReadWeight is >= 0 and <= MaxWeight))
            errors.Add(Error("PrimaryReadWeight", options.PrimaryReadWeight,
                "Use a number from 0 (only when no replica can serve) to 1,000."));
        if (!Enum.IsDefined(options.Balancing))
            errors.Add(Error("Balancing", options.Balancing, $"The policies are {string.Join(", ", Enum.GetNames<BalancingPolicy>())}."));
        if (!Enum.IsDefined(options.TrackedQueries))
            errors.Add(Error("TrackedQueries", options.TrackedQueries,
                $"Use one of {string.Join(", ", Enum.GetNames<TrackedQueries>())}."));
        if (options.SlowReadThreshold < TimeSpan.FromMilliseconds(1) || options.SlowReadThreshold > TimeSpan.FromDays(1))
            errors.Add(Error("SlowReadThreshold", options.SlowReadThreshold,
                "Use a time from 1 ms to 1 day, such as 00:00:00.500, or leave it out."));
        return errors;
    }

    private void CheckNode(string name, NodeOptions node, List<string> errors)
    {
        var path = $"Nodes:{name}";
        if (string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl) || name.Length > 63)
            errors.Add(Error(path, name, "A name has 1 to 63 characters, none of them a control character."));
        if (!(node.Weight is > 0 and <= MaxWeight))
            errors.Add(Error($"{path}:Weight", node.Weight, "Use a number greater than 0, at most 1,000. To exclude a node, remove it."));
        if (node.MaxPoolSize is < 1 or > 10_000)
            errors.Add(Error($"{path}:MaxPoolSize", node.MaxPoolSize, "Use a number from 1 to 10,000."));
        if (node.ConnectionLifetime is { } lifetime && lifetime < TimeSpan.FromSeconds(1))
            errors.Add(Error($"{path}:ConnectionLifetime", lifetime, "Use at least one second, or leave it out."));
        CheckConnectionString($"{path}:ConnectionString", node.ConnectionString, errors);
    }

    // A connection string is never quoted, because it contains the password.
    private void CheckConnectionString(string path, string text, List<string> errors)
    {
        const string Remedy = "Write Host=pg-1;Database=store;Username=store or postgres://store@pg-1/store.";
        if (string.IsNullOrWhiteSpace(text))
        {
            errors.Add($"{Path}:{path} is empty. {Remedy}");
            return;
        }

        IReadOnlyList<NpgsqlConnectionStringBuilder> hosts;
        try
        {
            hosts = ConnectionText.Parse(text);
        }
        catch (FormatException e)
        {
            errors.Add($"{Path}:{path} cannot be read: {e.Message}. {Remedy}");
            return;
        }

        var settings = hosts[0];
        if (hosts.Count > 1)
            errors.Add($"{Path}:{path} names {hosts.Count} hosts. A node is one server: "
                + $"configure each host as a node, or move the whole string to {Path}:ConnectionString.");
        if (settings.TargetSessionAttributes is not null)
            errors.Add($"{Path}:{path} sets Target Session Attributes. Remove it: Tidemark detects the roles and chooses a "
                + "node for each read.");
        if (settings.LoadBalanceHosts)
            errors.Add($"{Path}:{path} sets Load Balance Hosts. Remove it: Tidemark balances reads ({Path}:Balancing).");
        if (settings.Multiplexing)
            errors.Add($"{Path}:{path} sets Multiplexing. Remove it: a position is verified for one physical connection, and multiplexing "
                + "hides which one is used.");
    }

    private void CheckSameDatabase(TidemarkOptions options, List<string> errors)
    {
        var databases = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var node in options.Nodes.Values)
        {
            try
            {
                // If no database is given, the server uses the one with the name of the user.
                var settings = ConnectionText.Parse(node.ConnectionString)[0];
                if ((settings.Database ?? settings.Username) is { Length: > 0 } database) databases.Add(database);
            }
            catch (FormatException)
            {
                // Already reported by CheckNode, with the path.
            }
        }

        if (databases.Count > 1)
            errors.Add($"{Path}:Nodes use several databases: {string.Join(", ", databases)}. Replicas have the primary's databases: "
                + "use the same one on each node.");
    }

    private void CheckBound(string path, TimeSpan? bound, TidemarkOptions options, List<string> errors)
    {
        if (bound < options.ProbeInterval)
            errors.Add(Error(path, bound, $"Staleness is measured by probes: use at least ProbeInterval ({options.ProbeInterval}), or "
                + "shorten ProbeInterval."));
    }

    private void CheckRange(string path, TimeSpan value, List<string> errors)
    {
        if (value < MinProbe || value > MaxProbe)
            errors.Add(Error(path, value, "Use a time from 10 ms to 1 minute, such as 00:00:00.100."));
    }

    private string Error(string path, object? value, string remedy) =>
        string.Create(CultureInfo.InvariantCulture, $"{Path}:{path} is '{value}'. {remedy}");
}

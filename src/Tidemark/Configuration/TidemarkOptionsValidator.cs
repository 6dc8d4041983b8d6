using System.Globalization;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Tidemark;

/// <summary>Finds everything that is wrong with the options at once: each error with its path, its value and what to do.</summary>
internal sealed class TidemarkOptionsValidator : IValidateOptions<TidemarkOptions>
{
    private const double MaxWeight = 1000;
    private static readonly TimeSpan MinProbe = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxProbe = TimeSpan.FromMinutes(1);

    /// <summary>The path of the options in the application's configuration, for messages.</summary>
    public string Path { get; init; } = "Tidemark";

    public ValidateOptionsResult Validate(string? name, TidemarkOptions options)
    {
        var errors = Check(options);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>Throws with all errors, each on a line of its own.</summary>
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
                $"A cluster has 1 to {TidemarkOptions.MaxNodes} nodes: name each with its connection string, or call AddNode."));
        }

        foreach (var (name, node) in options.Nodes) CheckNode(name, node, errors);
        CheckSameDatabase(options, errors);
        CheckRange("ProbeInterval", options.ProbeInterval, errors);
        CheckRange("ProbeTimeout", options.ProbeTimeout, errors);
        CheckBound("MaxStaleness", options.MaxStaleness, options, errors);
        CheckBound("DefaultConsistency", options.DefaultConsistency.MaxStaleness, options, errors);
        if (options.ReadWait < TimeSpan.Zero || options.ReadWait > TimeSpan.FromSeconds(10))
            errors.Add(Error("ReadWait", options.ReadWait, "Give a time from 0 (never wait) to 10 seconds, such as 00:00:00.010."));
        if (options.TokenKey is { Length: < 32 })
            errors.Add($"{Path}:TokenKey has {options.TokenKey.Length} characters. Give at least 32 that nobody can guess, or leave it "
                + "out: tokens are then unsigned.");
        if (options.TokenLifetime < TimeSpan.FromSeconds(1) || options.TokenLifetime > TimeSpan.FromDays(30))
            errors.Add(Error("TokenLifetime", options.TokenLifetime, "Give a time from 1 second to 30 days, such as 01:00:00."));
        if (options.MaxWaitingReads is < 0 or > 1_000_000)
            errors.Add(Error("MaxWaitingReads", options.MaxWaitingReads, "Give a number from 0 to 1,000,000."));
        if (options.SystemIdentifier == 0)
            errors.Add(Error("SystemIdentifier", 0,
                "Give what SELECT system_identifier FROM pg_control_system() says on the primary, or leave it out."));
        if (!(options.PrimaryReadWeight is >= 0 and <= MaxWeight))
            errors.Add(Error("PrimaryReadWeight", options.PrimaryReadWeight,
                "Give a number from 0 (only when no replica can serve) to 1,000."));
        if (!Enum.IsDefined(options.Balancing))
            errors.Add(Error("Balancing", options.Balancing, $"The policies are {string.Join(", ", Enum.GetNames<BalancingPolicy>())}."));
        if (!Enum.IsDefined(options.TrackedQueries))
            errors.Add(Error("TrackedQueries", options.TrackedQueries,
                $"Give one of {string.Join(", ", Enum.GetNames<TrackedQueries>())}."));
        if (options.SlowReadThreshold < TimeSpan.FromMilliseconds(1) || options.SlowReadThreshold > TimeSpan.FromDays(1))
            errors.Add(Error("SlowReadThreshold", options.SlowReadThreshold,
                "Give a time from 1 ms to 1 day, such as 00:00:00.500, or leave it out."));
        return errors;
    }

    private void CheckNode(string name, NodeOptions node, List<string> errors)
    {
        var path = $"Nodes:{name}";
        if (string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl) || name.Length > 63)
            errors.Add(Error(path, name, "A name has 1 to 63 characters, none of them a control character."));
        if (!(node.Weight is > 0 and <= MaxWeight))
            errors.Add(Error($"{path}:Weight", node.Weight, "Give a number above 0, at most 1,000. To take a node out, remove it."));
        if (node.MaxPoolSize is < 1 or > 10_000)
            errors.Add(Error($"{path}:MaxPoolSize", node.MaxPoolSize, "Give a number of connections from 1 to 10,000."));
        if (node.ConnectionLifetime is { } lifetime && lifetime < TimeSpan.FromSeconds(1))
            errors.Add(Error($"{path}:ConnectionLifetime", lifetime, "Give at least one second, or leave it out."));
        CheckConnectionString($"{path}:ConnectionString", node.ConnectionString, errors);
    }

    // A connection string is never quoted: it holds the password.
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
            errors.Add($"{Path}:{path} names {hosts.Count} hosts. A node is one server: list each, or give the whole string as {Path}:ConnectionString.");
        if (settings.TargetSessionAttributes is not null)
            errors.Add($"{Path}:{path} sets Target Session Attributes. Remove it: Tidemark finds the roles and chooses for each read.");
        if (settings.LoadBalanceHosts)
            errors.Add($"{Path}:{path} sets Load Balance Hosts. Remove it: Tidemark balances reads ({Path}:Balancing).");
        if (settings.Multiplexing)
            errors.Add($"{Path}:{path} sets Multiplexing. Remove it: a position is proven for one physical connection, and multiplexing "
                + "hides which.");
    }

    private void CheckSameDatabase(TidemarkOptions options, List<string> errors)
    {
        var databases = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var node in options.Nodes.Values)
        {
            try
            {
                // Without a database the server takes the one named like the user.
                var settings = ConnectionText.Parse(node.ConnectionString)[0];
                if ((settings.Database ?? settings.Username) is { Length: > 0 } database) databases.Add(database);
            }
            catch (FormatException)
            {
                // Reported above, with its path.
            }
        }

        if (databases.Count > 1)
            errors.Add($"{Path}:Nodes name several databases: {string.Join(", ", databases)}. Replicas hold the primary's databases: "
                + "name the same one on each node.");
    }

    private void CheckBound(string path, TimeSpan? bound, TidemarkOptions options, List<string> errors)
    {
        if (bound < options.ProbeInterval)
            errors.Add(Error(path, bound, $"Staleness is measured by probes: give at least ProbeInterval ({options.ProbeInterval}), or "
                + "probe more often."));
    }

    private void CheckRange(string path, TimeSpan value, List<string> errors)
    {
        if (value < MinProbe || value > MaxProbe)
            errors.Add(Error(path, value, "Give a time from 10 ms to 1 minute, such as 00:00:00.100."));
    }

    private string Error(string path, object? value, string remedy) =>
        string.Create(CultureInfo.InvariantCulture, $"{Path}:{path} is '{value}'. {remedy}");
}

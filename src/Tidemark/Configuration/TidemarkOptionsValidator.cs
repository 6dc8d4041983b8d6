using System.Globalization;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Tidemark;

/// <summary>Finds everything that is wrong with the options at once. Each error has the path, the value and the remedy.</summary>
internal sealed class TidemarkOptionsValidator : IValidateOptions<TidemarkOptions>
{
    public ValidateOptionsResult Validate(string? name, TidemarkOptions options)
    {
        var errors = ErrorsOf(options);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <exception cref="OptionsValidationException">Something is wrong. Lists all of it, each error on a line of its own.</exception>
    public static void ThrowIfInvalid(TidemarkOptions options)
    {
        var errors = ErrorsOf(options);
        if (errors.Count > 0) throw new OptionsValidationException(options.Path, typeof(TidemarkOptions), errors);
    }

    private static List<string> ErrorsOf(TidemarkOptions options)
    {
        var errors = new List<string>(options.Unreadable);
        if (options.Nodes.Count is 0 or > TidemarkOptions.MaxNodes)
        {
            errors.Add(Error($"{options.Path}:Nodes", options.Nodes.Count,
                $"A cluster has 1 to {TidemarkOptions.MaxNodes} nodes. Configure each with its connection string, or call AddNode."));
        }

        foreach (var (name, node) in options.Nodes) CheckNode(name, node, options.Path, errors);
        CheckSameDatabase(options, errors);
        Check(OptionDeclarations.OfCluster, options, options.Path, errors);
        CheckBound("MaxStaleness", options.MaxStaleness, options, errors);
        CheckBound("DefaultConsistency", options.DefaultConsistency.MaxStaleness, options, errors);
        return errors;
    }

    private static void Check<TOwner>(IReadOnlyList<OptionDeclaration<TOwner>> list, TOwner owner, string path, List<string> errors)
    {
        foreach (var option in list)
        {
            if (option.IsValid(owner)) continue;
            var value = option.Get(owner);
            errors.Add(option.IsSecret && value is string { Length: var length }
                ? $"{path}:{option.Name} has {length} characters. {option.Remedy}"
                : Error($"{path}:{option.Name}", value, option.Remedy));
        }
    }

    private static void CheckNode(string name, NodeOptions node, string cluster, List<string> errors)
    {
        var path = $"{cluster}:Nodes:{name}";
        if (string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl) || name.Length > 63)
            errors.Add(Error(path, name, "A name has 1 to 63 characters and no control characters."));
        Check(OptionDeclarations.OfNode, node, path, errors);
        CheckConnectionString($"{path}:ConnectionString", node.ConnectionString, cluster, errors);
    }

    // A connection string is never quoted, because it contains the password.
    private static void CheckConnectionString(string path, string text, string cluster, List<string> errors)
    {
        const string Remedy = "Write Host=pg-1;Database=store;Username=store or postgres://store@pg-1/store.";
        if (string.IsNullOrWhiteSpace(text))
        {
            errors.Add($"{path} is empty. {Remedy}");
            return;
        }

        IReadOnlyList<NpgsqlConnectionStringBuilder> hosts;
        try
        {
            hosts = ConnectionText.Parse(text);
        }
        catch (FormatException e)
        {
            errors.Add($"{path} cannot be read: {e.Message}. {Remedy}");
            return;
        }

        var settings = hosts[0];
        if (hosts.Count > 1)
        {
            errors.Add($"{path} names {hosts.Count} hosts. A node is one server: configure each host as a node, or "
                + $"move the whole string to {cluster}:ConnectionString.");
        }

        if (settings.TargetSessionAttributes is not null)
            errors.Add($"{path} sets Target Session Attributes. Remove it: Tidemark detects the roles and chooses a node for each read.");
        if (settings.LoadBalanceHosts)
            errors.Add($"{path} sets Load Balance Hosts. Remove it: Tidemark balances reads ({cluster}:Balancing).");
        if (settings.Multiplexing)
        {
            errors.Add($"{path} sets Multiplexing. Remove it: a position is verified for one physical connection, and multiplexing "
                + "hides which one is used.");
        }
    }

    private static void CheckSameDatabase(TidemarkOptions options, List<string> errors)
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
        {
            errors.Add($"{options.Path}:Nodes use several databases: {string.Join(", ", databases)}. Replicas have the primary's "
                + "databases: use the same one on each node.");
        }
    }

    private static void CheckBound(string name, TimeSpan? bound, TidemarkOptions options, List<string> errors)
    {
        if (bound < options.ProbeInterval)
        {
            errors.Add(Error($"{options.Path}:{name}", bound,
                $"Staleness is measured by probes: use at least ProbeInterval ({options.ProbeInterval}), or shorten ProbeInterval."));
        }
    }

    private static string Error(string path, object? value, string remedy) =>
        string.Create(CultureInfo.InvariantCulture, $"{path} is '{value}'. {remedy}");
}

using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Tidemark;

/// <summary>
/// Reads options from configuration. It does not use a binder, because a node can be a string or an object. Also, everything that cannot be
/// read, including unknown names, is reported at once.
/// </summary>
internal sealed class TidemarkOptionsReader(string path)
{
    private readonly List<string> _errors = [];

    /// <exception cref="OptionsValidationException">The configuration is not valid. The exception lists all errors.</exception>
    public static void Read(IConfiguration configuration, TidemarkOptions options)
    {
        var path = (configuration as IConfigurationSection)?.Path is { Length: > 0 } p ? p : "Tidemark";
        var reader = new TidemarkOptionsReader(path);
        foreach (var section in configuration.GetChildren()) reader.ReadSetting(section, options);

        // The settings that can be read are validated as well, so that a single start shows every error.
        if (new TidemarkOptionsValidator { Path = path }.Validate(null, options) is { Failed: true } invalid)
            reader._errors.AddRange(invalid.Failures);
        if (reader._errors.Count > 0)
            throw new OptionsValidationException(path, typeof(TidemarkOptions), reader._errors);
    }

    private void ReadSetting(IConfigurationSection section, TidemarkOptions options)
    {
        switch (section.Key.ToUpperInvariant())
        {
            case "NODES": foreach (var node in section.GetChildren()) ReadNode(node, options); break;
            case "CONNECTIONSTRING": ReadHosts(section, options); break;
            case "DEFAULTCONSISTENCY": options.DefaultConsistency =
                Value(section, options.DefaultConsistency, $"one of {Consistency.Names}"); break;
            case "MAXSTALENESS": options.MaxStaleness = Time(section, TimeSpan.FromMinutes(1)); break;
            case "TOKENKEY": options.TokenKey = section.Value; break;
            case "TOKENLIFETIME": options.TokenLifetime = Time(section, options.TokenLifetime); break;
            case "READWAIT": options.ReadWait = Time(section, options.ReadWait); break;
            case "MAXWAITINGREADS": options.MaxWaitingReads = Value(section, options.MaxWaitingReads, "a whole number"); break;
            case "THROWONLOSTWRITE": options.ThrowOnLostWrite = Value(section, options.ThrowOnLostWrite, "true or false"); break;
            case "PROBEINTERVAL": options.ProbeInterval = Time(section, options.ProbeInterval); break;
            case "PROBETIMEOUT": options.ProbeTimeout = Time(section, options.ProbeTimeout); break;
            case "BALANCING": options.Balancing = Choice(section, options.Balancing); break;
            case "ZONE": options.Zone = section.Value; break;
            case "SYSTEMIDENTIFIER": options.SystemIdentifier =
                Value(section, options.SystemIdentifier ?? 1, "the cluster's system identifier, a whole number"); break;
            case "PRIMARYREADWEIGHT": options.PrimaryReadWeight = Value(section, options.PrimaryReadWeight, "a number"); break;
            case "TRACKEDQUERIES": options.TrackedQueries = Choice(section, options.TrackedQueries); break;
            case "SLOWREADTHRESHOLD": options.SlowReadThreshold = Time(section, TimeSpan.FromSeconds(1)); break;
            default:
                Unknown(section, "Nodes, ConnectionString, DefaultConsistency, MaxStaleness, ReadWait, MaxWaitingReads, "
                    + "ThrowOnLostWrite, TokenKey, TokenLifetime, ProbeInterval, ProbeTimeout, Balancing, Zone, SystemIdentifier, "
                    + "PrimaryReadWeight, TrackedQueries, SlowReadThreshold");
                break;
        }
    }

    private void ReadNode(IConfigurationSection section, TidemarkOptions options)
    {
        var node = new NodeOptions();
        if (section.Value is { } text) node.ConnectionString = text;
        foreach (var setting in section.GetChildren())
        {
            switch (setting.Key.ToUpperInvariant())
            {
                case "CONNECTIONSTRING": node.ConnectionString = setting.Value ?? ""; break;
                case "WEIGHT": node.Weight = Value(setting, node.Weight, "a number"); break;
                case "ZONE": node.Zone = setting.Value; break;
                case "MAXPOOLSIZE": node.MaxPoolSize = Value(setting, 1, "a whole number"); break;
                case "CONNECTIONLIFETIME": node.ConnectionLifetime = Time(setting, TimeSpan.FromHours(1)); break;
                default: Unknown(setting, "ConnectionString, Weight, Zone, MaxPoolSize, ConnectionLifetime"); break;
            }
        }

        if (!options.Nodes.TryAdd(section.Key, node))
            _errors.Add($"{section.Path} is a second node with that name. Names are case-insensitive; give each node its own.");
    }

    private void ReadHosts(IConfigurationSection section, TidemarkOptions options)
    {
        try
        {
            options.AddNodes(section.Value ?? "");
        }
        catch (FormatException e)
        {
            _errors.Add($"{section.Path} cannot be read: {e.Message}.");
        }
        catch (ArgumentException e)
        {
            _errors.Add($"{section.Path}: {e.Message}");
        }
    }

    private TimeSpan Time(IConfigurationSection section, TimeSpan fallback) =>
        Value(section, fallback, "a time such as 00:00:00.100");

    private T Choice<T>(IConfigurationSection section, T fallback)
        where T : struct, Enum
    {
        if (Enum.TryParse<T>(section.Value, ignoreCase: true, out var value) && Enum.IsDefined(value)) return value;
        _errors.Add($"{section.Path} is '{section.Value}'. It must be one of {string.Join(", ", Enum.GetNames<T>())}.");
        return fallback;
    }

    private T Value<T>(IConfigurationSection section, T fallback, string what)
        where T : IParsable<T>
    {
        if (T.TryParse(section.Value, CultureInfo.InvariantCulture, out var value)) return value;
        _errors.Add($"{section.Path} is '{section.Value}'. It must be {what}.");
        return fallback;
    }

    // The value is not quoted, because an unknown name may be a misspelt ConnectionString.
    private void Unknown(IConfigurationSection section, string known) =>
        _errors.Add($"{section.Path} is not a setting of {path}. The valid settings are {known}.");
}

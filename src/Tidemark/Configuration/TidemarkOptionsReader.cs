using Microsoft.Extensions.Configuration;

namespace Tidemark;

/// <summary>
/// Reads options from configuration. It does not use the framework's binder, for two reasons: a node is a string or an object, and
/// everything that cannot be read, unknown names included, is reported at once.
/// </summary>
internal sealed class TidemarkOptionsReader
{
    private readonly TidemarkOptions _options;
    private readonly List<string> _errors;

    private TidemarkOptionsReader(TidemarkOptions options) => (_options, _errors) = (options, options.Unreadable);

    /// <summary>
    /// Reads the section into the options. What cannot be read is kept in <see cref="TidemarkOptions.Unreadable"/>, so that the validator
    /// reports it together with the rest.
    /// </summary>
    public static void Read(IConfiguration configuration, TidemarkOptions options)
    {
        if ((configuration as IConfigurationSection)?.Path is { Length: > 0 } path) options.Path = path;
        var reader = new TidemarkOptionsReader(options);
        foreach (var section in configuration.GetChildren()) reader.ReadSetting(section);
    }

    private void ReadSetting(IConfigurationSection section)
    {
        if (Is(section, "Nodes"))
            foreach (var node in section.GetChildren()) ReadNode(node);
        else if (Is(section, "ConnectionString"))
            ReadHosts(section);
        else if (Find(OptionDeclarations.OfCluster, section) is { } option)
            ReadValue(section, option, _options);
        else
            Unknown(section, ["Nodes", "ConnectionString", .. OptionDeclarations.OfCluster.Select(o => o.Name)]);
    }

    private void ReadNode(IConfigurationSection section)
    {
        var node = new NodeOptions();
        if (section.Value is { } text) node.ConnectionString = text;
        foreach (var setting in section.GetChildren())
        {
            if (Is(setting, "ConnectionString")) node.ConnectionString = setting.Value ?? "";
            else if (Find(OptionDeclarations.OfNode, setting) is { } option) ReadValue(setting, option, node);
            else Unknown(setting, ["ConnectionString", .. OptionDeclarations.OfNode.Select(o => o.Name)]);
        }

        if (!_options.Nodes.TryAdd(section.Key, node))
            _errors.Add($"{section.Path} is a second node with that name. Names are case-insensitive; give each node its own.");
    }

    private void ReadHosts(IConfigurationSection section)
    {
        try
        {
            _options.AddNodes(section.Value ?? "");
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

    private void ReadValue<TOwner>(IConfigurationSection section, OptionDeclaration<TOwner> option, TOwner owner)
    {
        if (option.Parse(section.Value ?? "") is { } value) option.Set(owner, value);
        else _errors.Add($"{section.Path} is '{section.Value}'. {option.Remedy}");
    }

    private static OptionDeclaration<TOwner>? Find<TOwner>(
        IReadOnlyList<OptionDeclaration<TOwner>> options, IConfigurationSection section) =>
        options.FirstOrDefault(option => Is(section, option.Name));

    private static bool Is(IConfigurationSection section, string name) =>
        string.Equals(section.Key, name, StringComparison.OrdinalIgnoreCase);

    // The value is not quoted: an unknown name may be a misspelt ConnectionString.
    private void Unknown(IConfigurationSection section, IEnumerable<string> names) => _errors.Add(
        $"{section.Path} is not a setting of {_options.Path}. The valid settings are {string.Join(", ", names)}.");
}

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Npgsql;
using Tidemark.Testing;
using Command = System.CommandLine.Command;

namespace Tidemark.Cli.Targets;

/// <summary>
/// Which cluster a command is about, the same for all commands: what was given on the command line, else the application's configuration,
/// else libpq's
/// environment, else the local cluster that runs. The first that says anything is taken alone.
/// </summary>
internal sealed partial class TargetOptions(TargetEnvironment environment)
{
    private const string DefaultSection = "Tidemark";
    private const string DefaultCluster = "default";

    private readonly Option<string[]> _connections = new("--connection")
    {
        Description = "How to reach nodes: 'Host=pg-1,pg-2;Database=store', postgres://user@pg-1,pg-2/store, or libpq's 'host=pg-1 "
            + "dbname=store'. May be given several times.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> _cluster = new("--cluster")
    {
        Description = "A local cluster that 'tidemark cluster up' has started.",
        HelpName = "NAME",
        CompletionSources = { _ => environment.KeptClusters().Select(name => new System.CommandLine.Completions.CompletionItem(name)) },
    };

    private readonly Option<string?> _config =
        new("--config") { Description = "The application's settings; appsettings.json in this folder by default.", HelpName = "FILE" };

    private readonly Option<string> _section = new("--section")
    {
        Description = "The section of the settings that is about the cluster.",
        HelpName = "NAME",
        DefaultValueFactory = _ => DefaultSection,
    };

    /// <summary>What to say where none is found.</summary>
    public static string Ways { get; } =
        "--connection TEXT names its nodes, --cluster NAME a local cluster; without them, the section Tidemark of appsettings.json or "
            + "of the environment (Tidemark__Nodes__pg-1), "
        + "PGHOST or PGSERVICE, or the local cluster that is up. 'tidemark cluster up' starts one.";

    /// <summary>Gives a command the options.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _connections, _cluster, _config, _section }) command.Add(option);
        command.Validators.Add(RefuseContradictions);
    }

    /// <summary>The option that names the cluster; null: none was given.</summary>
    public string? Given(CommandResult given) => new Option[] { _connections, _cluster, _config }.FirstOrDefault(given.Has)?.Name;

    /// <summary>Finds the cluster. Asks no server.</summary>
    /// <exception cref="CommandException">There is none, or what names it cannot be read; says what stood where.</exception>
    public ClusterTarget Find(ParseResult result)
    {
        if (result.GetValue(_connections) is { Length: > 0 } texts) return FromTexts(texts);
        if (result.GetValue(_cluster) is { } name) return FromKept(name);
        var section = result.GetRequiredValue(_section);
        if (result.GetValue(_config) is { } file)
            return FromConfiguration(file, section)
            ?? throw new CommandException($"{Quoted.Plain(file)} has no section {Quoted.Plain(section)}; --section names another.");
        if (FromConfiguration(null, section) is { } configured) return configured;
        if (environment.Variable("PGSERVICE") is { } service)
            return From($"the service {service}", builder => builder.Options.AddNodes(Completed(new LibpqSettings())));
        if (LibpqSettings.FromEnvironment(environment.Variables) is { NamesHost: true })
            return From("PGHOST", builder => builder.Options.AddNodes(Completed(new LibpqSettings())));
        return environment.KeptClusters() switch
        {
            [var only] => FromKept(only),
            var several when several.Contains(DefaultCluster) => FromKept(DefaultCluster),
            [] => throw new CommandException($"which cluster? {Ways}"),
            var several => throw new CommandException($"which cluster? The local clusters are {string.Join(", ", several)}: --cluster "
                + "names one."),
        };
    }

    private void RefuseContradictions(CommandResult given)
    {
        var several = new Option[] { _connections, _cluster, _config }.Where(given.Has).Select(option => option.Name).ToList();
        if (several.Count > 1) given.AddError($"{string.Join(" and ", several)} contradict each other: each names the cluster.");
        if (given.Has(_section) && !given.Has(_config) && several.Count > 0)
            given.AddError($"--section and {several[0]} contradict each other: {several[0]} reads no settings.");
    }

    private ClusterTarget FromTexts(string[] texts) =>
        From("--connection", builder => builder.Options.AddNodes([.. texts.SelectMany(Read)]));

    private IReadOnlyList<NpgsqlConnectionStringBuilder> Read(string text)
    {
        if (IsLibpq().IsMatch(text)) return Completed(LibpqSettings.Parse(text));
        var nodes = ConnectionText.Parse(text);

        // The port of a host that names none itself; behind a host it stays.
        if (!text.Contains("://", StringComparison.Ordinal) && new NpgsqlConnectionStringBuilder(text) is var given
            && !given.ShouldSerialize("Port") && environment.Variable("PGPORT") is { } port)
            nodes = ConnectionText.Parse($"{text};Port={port}");
        foreach (var node in nodes) node.Database ??= environment.Variable("PGDATABASE");
        return nodes;
    }

    // In libpq's order: what was given, then the service, then the environment.
    private IReadOnlyList<NpgsqlConnectionStringBuilder> Completed(LibpqSettings settings)
    {
        if ((settings.Service ?? environment.Variable("PGSERVICE")) is { } service)
            settings.Complete(ServiceFile.Find(service, environment));
        if (!settings.NamesHost && environment.Variable("PGHOSTADDR") is not null)
            throw new FormatException("PGHOSTADDR is set: give the address as PGHOST");
        settings.Complete(LibpqSettings.FromEnvironment(environment.Variables));
        return settings.ToNpgsql();
    }

    private static ClusterTarget FromKept(string name)
    {
        if (!KeptCluster.IsName(name)) throw new CommandException($"{Quoted.Word(name)} cannot be the name of a local cluster.");
        try
        {
            var kept = KeptCluster.Read(name);
            return From($"the local cluster {name}", builder =>
            {
                foreach (var node in kept.Nodes) builder.Options.AddNode(node.Name, node.ConnectionString);
            });
        }
        catch (Exception e) when (e is KeyNotFoundException or LocalClusterException)
        {
            throw new CommandException(e.Message, e);
        }
    }

    private ClusterTarget? FromConfiguration(string? file, string section)
    {
        var path = Path.Combine(environment.Directory, file ?? "appsettings.json");
        if (file is not null && !File.Exists(path)) throw new CommandException($"there is no file {Quoted.Plain(file)}.");
        var stage = environment.Variable("DOTNET_ENVIRONMENT") ?? environment.Variable("ASPNETCORE_ENVIRONMENT") ?? "Production";
        var sources = new ConfigurationBuilder().AddJsonFile(path, optional: true)
            .AddJsonFile(Path.ChangeExtension(path, $".{stage}.json"), optional: true);
        sources.AddInMemoryCollection(environment.Variables.Where(v => v.Key.StartsWith($"{section}__", StringComparison.OrdinalIgnoreCase))
            .DistinctBy(v => v.Key, StringComparer.OrdinalIgnoreCase)
                .Select(v => KeyValuePair.Create(v.Key.Replace("__", ":", StringComparison.Ordinal), (string?)v.Value)));
        try
        {
            var found = ((IConfiguration)sources.Build()).GetSection(section);
            if (!found.GetChildren().Any()) return null;
            return From(file
                ?? (File.Exists(path) ? "appsettings.json" : "the environment"),
                builder => TidemarkOptionsReader.Read(found, builder.Options), isConfiguration: true);
        }
        catch (InvalidDataException e)
        {
            throw new CommandException($"{Path.GetFileName(path)} is no JSON: {e.InnerException?.Message}", e);
        }
    }

    private static ClusterTarget From(string source, Action<TidemarkDataSourceBuilder> read, bool isConfiguration = false)
    {
        var builder = new TidemarkDataSourceBuilder();
        try
        {
            read(builder);
            TidemarkOptionsValidator.ThrowIfInvalid(builder.Options);
            return new ClusterTarget(source, builder) { IsConfiguration = isConfiguration };
        }
        catch (FormatException e)
        {
            throw new CommandException($"{source} cannot be read: {e.Message}.", e);
        }
        catch (ArgumentException e)
        {
            throw new CommandException($"{source}: {e.Message}", e);
        }
        catch (OptionsValidationException e)
        {
            throw new CommandException($"{source}: {string.Join('\n', e.Failures)}", e);
        }
    }

    // A second keyword behind white space, before any semicolon; a service alone is libpq's too.
    [GeneratedRegex(@"^\s*service\s*=|^\s*[a-z_]+\s*=\s*('(?:[^'\\]|\\.)*'|[^\s;']*)\s+[a-z_]+\s*=|^\s*[a-z_]+\s*=\s*'",
        RegexOptions.IgnoreCase)]
    private static partial Regex IsLibpq();
}

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
/// Selects the cluster of a command, in the same way for all commands: from the command line, else from the configuration of the
/// application, else from libpq's environment, else the local cluster. Only the first source that is present is used.
/// </summary>
internal sealed partial class TargetOptions(TargetEnvironment environment)
{
    private const string DefaultSection = "Tidemark";
    private const string DefaultCluster = "default";

    private readonly Option<string[]> _connections = new("--connection")
    {
        Description = "Connection string of one or more nodes: 'Host=pg-1,pg-2;Database=store', postgres://user@pg-1,pg-2/store, or "
            + "libpq's 'host=pg-1 dbname=store'. Can be repeated.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> _cluster = new("--cluster")
    {
        Description = "The name of a local cluster started by 'tidemark cluster up'.",
        HelpName = "NAME",
        CompletionSources = { _ => environment.KeptClusters().Select(name => new System.CommandLine.Completions.CompletionItem(name)) },
    };

    private readonly Option<string?> _config =
        new("--config") { Description = "The settings file of the application. Default: appsettings.json in the current "
            + "folder.", HelpName = "FILE" };

    private readonly Option<string> _section = new("--section")
    {
        Description = "The section of the settings file that configures the cluster.",
        HelpName = "NAME",
        DefaultValueFactory = _ => DefaultSection,
    };

    /// <summary>The help text if no cluster is found.</summary>
    public static string Ways { get; } =
        "Use --connection TEXT to give its nodes, or --cluster NAME for a local cluster. Otherwise the cluster comes from the section "
            + "Tidemark of appsettings.json or of the environment (Tidemark__Nodes__pg-1), from PGHOST or PGSERVICE, or is the running "
            + "local cluster. 'tidemark cluster up' starts one.";

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _connections, _cluster, _config, _section }) command.Add(option);
        command.Validators.Add(RefuseContradictions);
    }

    /// <summary>Returns the name of the option that selects the cluster, or <c>null</c> if none was given.</summary>
    public string? Given(CommandResult given) => new Option[] { _connections, _cluster, _config }.FirstOrDefault(given.Has)?.Name;

    /// <summary>Finds the cluster, without connecting to a server.</summary>
    /// <exception cref="CommandException">No cluster was found, or its source is invalid; the message names the source.</exception>
    public ClusterTarget Find(ParseResult result)
    {
        if (result.GetValue(_connections) is { Length: > 0 } texts) return FromTexts(texts);
        if (result.GetValue(_cluster) is { } name) return FromKept(name);
        var section = result.GetRequiredValue(_section);
        if (result.GetValue(_config) is { } file)
            return FromConfiguration(file, section)
            ?? throw new CommandException($"{Quoted.Plain(file)} has no section {Quoted.Plain(section)}; select another with --section.");
        if (FromConfiguration(null, section) is { } configured) return configured;
        if (environment.Variable("PGSERVICE") is { } service)
            return From($"the service {service}", builder => builder.Options.AddNodes(Completed(new LibpqSettings())));
        if (LibpqSettings.FromEnvironment(environment.Variables) is { NamesHost: true })
            return From("PGHOST", builder => builder.Options.AddNodes(Completed(new LibpqSettings())));
        return environment.KeptClusters() switch
        {
            [var only] => FromKept(only),
            var several when several.Contains(DefaultCluster) => FromKept(DefaultCluster),
            [] => throw new CommandException($"no cluster is selected. {Ways}"),
            var several => throw new CommandException($"no cluster is selected. Select one of the local clusters with "
                + $"--cluster: {string.Join(", ", several)}."),
        };
    }

    private void RefuseContradictions(CommandResult given)
    {
        var several = new Option[] { _connections, _cluster, _config }.Where(given.Has).Select(option => option.Name).ToList();
        if (several.Count > 1) given.AddError($"{string.Join(" and ", several)} cannot be combined: each selects the cluster.");
        if (given.Has(_section) && !given.Has(_config) && several.Count > 0)
            given.AddError($"--section and {several[0]} cannot be combined: {several[0]} does not read a settings file.");
    }

    private ClusterTarget FromTexts(string[] texts) =>
        From("--connection", builder => builder.Options.AddNodes([.. texts.SelectMany(Read)]));

    private IReadOnlyList<NpgsqlConnectionStringBuilder> Read(string text)
    {
        if (IsLibpq().IsMatch(text)) return Completed(LibpqSettings.Parse(text));
        var nodes = ConnectionText.Parse(text);

        // PGPORT applies to hosts without a port of their own.
        if (!text.Contains("://", StringComparison.Ordinal) && new NpgsqlConnectionStringBuilder(text) is var given
            && !given.ShouldSerialize("Port") && environment.Variable("PGPORT") is { } port)
            nodes = ConnectionText.Parse($"{text};Port={port}");
        foreach (var node in nodes) node.Database ??= environment.Variable("PGDATABASE");
        return nodes;
    }

    // In the order of libpq: the given settings, then the service, then the environment.
    private IReadOnlyList<NpgsqlConnectionStringBuilder> Completed(LibpqSettings settings)
    {
        if ((settings.Service ?? environment.Variable("PGSERVICE")) is { } service)
            settings.Complete(ServiceFile.Find(service, environment));
        if (!settings.NamesHost && environment.Variable("PGHOSTADDR") is not null)
            throw new FormatException("PGHOSTADDR is not supported: give the address as PGHOST");
        settings.Complete(LibpqSettings.FromEnvironment(environment.Variables));
        return settings.ToNpgsql();
    }

    private static ClusterTarget FromKept(string name)
    {
        if (!KeptCluster.IsName(name)) throw new CommandException($"{Quoted.Word(name)} is not a valid name of a local cluster.");
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
        if (file is not null && !File.Exists(path)) throw new CommandException($"file {Quoted.Plain(file)} does not exist.");
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
            throw new CommandException($"{Path.GetFileName(path)} is not valid JSON: {e.InnerException?.Message}", e);
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
            throw new CommandException($"{source} is invalid: {e.Message}.", e);
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

    // Matches a second keyword after white space, before any semicolon. A service alone is also libpq syntax.
    [GeneratedRegex(@"^\s*service\s*=|^\s*[a-z_]+\s*=\s*('(?:[^'\\]|\\.)*'|[^\s;']*)\s+[a-z_]+\s*=|^\s*[a-z_]+\s*=\s*'",
        RegexOptions.IgnoreCase)]
    private static partial Regex IsLibpq();
}

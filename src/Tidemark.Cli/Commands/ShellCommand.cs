using System.CommandLine;
using System.CommandLine.Parsing;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark shell</c>: runs psql on a node.</summary>
internal sealed class ShellCommand : TargetCommand
{
    private const string PrimaryByRole = "primary";

    private readonly TargetEnvironment _environment;
    private readonly Argument<string[]> _words = new("NODE")
    {
        Description = "The name of a node, or 'primary' (the default) for the current primary. Arguments after -- are passed to psql.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public ShellCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "shell", "Open psql on a node. The password is passed in the environment, not as an argument. Returns "
                + "the exit code of psql.",
            "tidemark shell", "tidemark shell pg-2", "tidemark shell pg-2 -- -c \"SELECT pg_last_wal_replay_lsn()\"")
    {
        _environment = environment;
        Add(_words);
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var words = result.GetValue(_words) ?? [];
        var given = words.Length - result.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash)
            .Count(token => token.Type != TokenType.DoubleDash);
        if (given > 1) throw new CommandException($"shell takes one node, but {given} were given. Put arguments for psql after --.");
        var name = given == 0 ? PrimaryByRole : words[0];
        var isRole = name.Equals(PrimaryByRole, StringComparison.OrdinalIgnoreCase) && !target.Options.Nodes.ContainsKey(name);
        var node = isRole ? await FindPrimaryAsync(target, cancellationToken) : target[name];
        var psql = _environment.FindProgram("psql")
            ?? throw new CommandException("psql was not found in PATH or in the usual installation folders of PostgreSQL. Install it "
                + "(Debian: postgresql-client; Homebrew: libpq).");
        var start = new ProcessStartInfo(psql, words[given..]) { UseShellExecute = false };
        foreach (var (variable, value) in Variables(node.Settings)) start.Environment[variable] = value;

        // In psql, Ctrl-C cancels a query. It must end neither psql nor this process.
        using var loan = Interrupts.Lend();
        using var process = Start(start);
        await process.WaitForExitAsync(CancellationToken.None);
        return (ExitCode)process.ExitCode;
    }

    private static Process Start(ProcessStartInfo psql)
    {
        try
        {
            return Process.Start(psql)!;
        }
        catch (Win32Exception e)
        {
            throw new CommandException($"{psql.FileName} cannot be started: {e.Message}.", e);
        }
    }

    private static async Task<TargetNode> FindPrimaryAsync(ClusterTarget target, CancellationToken cancellationToken)
    {
        await using var source = await target.OpenAsync(cancellationToken);
        return source.Cluster.Monitor.Snapshot.Primary is { } primary
            ? target[primary.Name] : throw target.HasNoPrimary(source, "for a shell");
    }

    // Passed in the environment, which only the user and root can read, since all users can read arguments.
    private static IEnumerable<(string Variable, string? Value)> Variables(NpgsqlConnectionStringBuilder settings)
    {
        yield return ("PGHOST", settings.Host);
        yield return ("PGPORT", settings.Port.ToString(CultureInfo.InvariantCulture));
        if (settings.Database is { } database) yield return ("PGDATABASE", database);
        if (settings.Username is { } user) yield return ("PGUSER", user);
        if (settings.Password is { } password) yield return ("PGPASSWORD", password);
        if (settings.Passfile is { } file) yield return ("PGPASSFILE", file);
        if (settings.Options is { } options) yield return ("PGOPTIONS", options);
        if (settings.RootCertificate is { } root) yield return ("PGSSLROOTCERT", root);
        if (settings.SslCertificate is { } certificate) yield return ("PGSSLCERT", certificate);
        if (settings.SslKey is { } key) yield return ("PGSSLKEY", key);
        if (settings.ShouldSerialize("SSL Mode")) yield return ("PGSSLMODE", Mode(settings.SslMode));
        if (settings.ShouldSerialize("GSS Encryption Mode"))
            yield return ("PGGSSENCMODE", settings.GssEncryptionMode.ToString().ToLowerInvariant());
        if (settings.ShouldSerialize("Channel Binding"))
            yield return ("PGCHANNELBINDING", settings.ChannelBinding.ToString().ToLowerInvariant());
        if (settings.ShouldSerialize("Require Auth") && settings.RequireAuth is { } auth) yield return ("PGREQUIREAUTH", auth);

        // These variables would redirect the connection or reject a replica.
        foreach (var variable in (string[])["PGSERVICE", "PGHOSTADDR", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"])
            yield return (variable, null);
    }

    private static string Mode(SslMode mode) => mode switch
    {
        SslMode.VerifyCA => "verify-ca",
        SslMode.VerifyFull => "verify-full",
        _ => mode.ToString().ToLowerInvariant(),
    };
}

namespace Tidemark.Cli.Targets;

/// <summary>
/// Reads libpq services: named groups of settings in <c>~/.pg_service.conf</c> (or the file in <c>PGSERVICEFILE</c>), then in
/// <c>pg_service.conf</c> of the folder <c>PGSYSCONFDIR</c>.
/// </summary>
internal static class ServiceFile
{
    /// <summary>Returns the settings of a service.</summary>
    /// <exception cref="CommandException">No file has the service; the message lists the files.</exception>
    public static LibpqSettings Find(string service, TargetEnvironment environment)
    {
        var files = Files(environment).ToList();
        foreach (var file in files.Where(File.Exists))
            if (Read(file, service) is { } settings) return settings;
        throw new CommandException($"service {Quoted.Word(service)} was not found in {string.Join(" or ", files)}.");
    }

    private static IEnumerable<string> Files(TargetEnvironment environment)
    {
        yield return environment.Variable("PGSERVICEFILE") ?? Path.Combine(environment.Home, ".pg_service.conf");
        yield return Path.Combine(environment.Variable("PGSYSCONFDIR") ?? "/etc/postgresql-common", "pg_service.conf");
    }

    private static LibpqSettings? Read(string file, string service)
    {
        LibpqSettings? found = null;
        foreach (var (number, line) in File.ReadLines(file).Select(line => line.Trim()).Index())
        {
            if (line.Length == 0 || line.StartsWith('#')) continue;
            if (line.StartsWith('['))
            {
                if (found is not null) break;
                if (line == $"[{service}]") found = new LibpqSettings();
            }
            else if (found is not null)
            {
                var equals = line.IndexOf('=', StringComparison.Ordinal);
                if (equals <= 0) throw new CommandException($"line {number + 1} of {file} is not 'keyword=value'.");
                found.Set(line[..equals].Trim(), line[(equals + 1)..].Trim());
            }
        }

        return found;
    }
}

using System.Globalization;
using System.Text;
using Npgsql;

namespace Tidemark.Cli.Targets;

/// <summary>
/// Connection settings with the keywords of libpq (<c>host</c>, <c>dbname</c>, <c>sslmode</c>), and their conversion to Npgsql. They come
/// from a text such as <c>host=pg-1 dbname=store</c>, the environment (<c>PGHOST</c>) or a service file. Npgsql itself reads only the user,
/// password and certificates from the environment.
/// </summary>
internal sealed class LibpqSettings
{
    // Npgsql reads PGUSER, PGPASSWORD, PGPASSFILE and the password file itself.
    private static readonly (string Variable, string Keyword)[] Variables =
    [
        ("PGHOST", "host"), ("PGPORT", "port"), ("PGDATABASE", "dbname"), ("PGUSER", "user"), ("PGREQUIREAUTH", "require_auth"),
        ("PGSSLMODE", "sslmode"), ("PGAPPNAME", "application_name"), ("PGCONNECT_TIMEOUT", "connect_timeout"),
            ("PGCHANNELBINDING", "channel_binding"),
    ];

    private readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The name of the service with the remaining settings, or <see langword="null"/> if none is given.</summary>
    public string? Service => _values.GetValueOrDefault("service");

    /// <summary>Whether a host is given.</summary>
    public bool NamesHost => _values.ContainsKey("host");

    public static LibpqSettings FromEnvironment(IReadOnlyDictionary<string, string> variables)
    {
        var settings = new LibpqSettings();
        foreach (var (variable, keyword) in Variables)
            if (variables.GetValueOrDefault(variable) is { Length: > 0 } value) settings.Set(keyword, value);
        return settings;
    }

    /// <summary>Reads pairs such as <c>host=pg-1 password='it''s'</c>; a backslash escapes the next character.</summary>
    /// <exception cref="FormatException">The text is invalid. The message does not contain values, since one may be a password.</exception>
    public static LibpqSettings Parse(string text)
    {
        var settings = new LibpqSettings();
        var rest = new StringReader(text);
        while (true)
        {
            SkipSpace(rest);
            if (rest.Peek() < 0) return settings;
            var keyword = ReadWhile(rest, c => c != '=' && !char.IsWhiteSpace(c));
            SkipSpace(rest);
            if (rest.Read() != '=') throw new FormatException($"it is neither a list of 'Keyword=value' parts, nor a postgres:// URL, "
                + "nor libpq's 'keyword=value' pairs");
            SkipSpace(rest);
            settings.Set(keyword, ReadValue(rest));
        }
    }

    public void Set(string keyword, string value) => _values[keyword] = value;

    /// <summary>Adds the settings of <paramref name="others"/> that are not set here.</summary>
    public void Complete(LibpqSettings others)
    {
        foreach (var (keyword, value) in others._values) _values.TryAdd(keyword, value);
    }

    /// <summary>Converts the settings to Npgsql, one result per host.</summary>
    /// <exception cref="FormatException">A keyword is unknown or its value is invalid. The message does not contain the value.</exception>
    public IReadOnlyList<NpgsqlConnectionStringBuilder> ToNpgsql()
    {
        // It decides where the connection goes, and Npgsql has no equivalent.
        if (_values.ContainsKey("hostaddr")) throw new FormatException("'hostaddr' is not supported: give the address as 'host'");
        var settings = new NpgsqlConnectionStringBuilder();
        foreach (var (keyword, value) in _values)
        {
            if (keyword.ToUpperInvariant() is "HOST" or "PORT" or "SERVICE" || NameOf(keyword) is not { } name) continue;
            try
            {
                settings[name] = name is "SSL Mode" or "Channel Binding" ? value.Replace("-", "", StringComparison.Ordinal) : value;
            }
            catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException or OverflowException
                or InvalidCastException)
            {
                throw new FormatException($"the value of '{keyword}' is invalid");
            }
        }

        var hosts = _values.GetValueOrDefault("host")?.Split(',') ?? throw new FormatException("it has no host");
        var ports = _values.GetValueOrDefault("port")?.Split(',') ?? [""];
        if (ports.Length != 1 && ports.Length != hosts.Length)
            throw new FormatException($"it has {hosts.Length} hosts but {ports.Length} ports");
        return [.. hosts.Select((host, i) => ForHost(settings, host.Trim(), ports[ports.Length == 1 ? 0 : i]))];
    }

    // A socket folder also has a port, which is part of the name of the socket file.
    private static NpgsqlConnectionStringBuilder ForHost(NpgsqlConnectionStringBuilder settings, string host, string port)
    {
        if (host.Length == 0) throw new FormatException("its list of hosts has an empty entry");
        var one = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Host = host };
        if (port.Length == 0) return one;
        one.Port = int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 65_535
            ? number
            : throw new FormatException("its port is not a number from 1 to 65535");
        return one;
    }

    // Keywords without an equivalent in Npgsql are ignored if they affect neither the target nor the security of the connection.
    private static string? NameOf(string keyword) => keyword.ToUpperInvariant() switch
    {
        "DBNAME" => "Database",
        "USER" => "Username",
        "PASSWORD" => "Password",
        "PASSFILE" => "Passfile",
        "SSLMODE" => "SSL Mode",
        "SSLROOTCERT" => "Root Certificate",
        "SSLCERT" => "SSL Certificate",
        "SSLKEY" => "SSL Key",
        "SSLNEGOTIATION" => "SSL Negotiation",
        "GSSENCMODE" => "GSS Encryption Mode",
        "CHANNEL_BINDING" => "Channel Binding",
        "REQUIRE_AUTH" => "Require Auth",
        "APPLICATION_NAME" => "Application Name",
        "CONNECT_TIMEOUT" => "Timeout",
        "CLIENT_ENCODING" => "Client Encoding",
        "OPTIONS" => "Options",
        "FALLBACK_APPLICATION_NAME" or "KEEPALIVES" or "KEEPALIVES_IDLE" or "KEEPALIVES_INTERVAL" or "KEEPALIVES_COUNT"
            or "TCP_USER_TIMEOUT"
            or "TARGET_SESSION_ATTRS" or "LOAD_BALANCE_HOSTS" or "SSLCOMPRESSION" => null,
        _ => throw new FormatException("it has a keyword that is not a libpq keyword supported by Tidemark"),
    };

    private static string ReadValue(StringReader rest)
    {
        var value = new StringBuilder();
        var isQuoted = rest.Peek() == '\'';
        if (isQuoted) rest.Read();
        while (rest.Peek() is var next && next >= 0 && (isQuoted ? next != '\'' : !char.IsWhiteSpace((char)next)))
        {
            rest.Read();
            var taken = next == '\\' ? rest.Read() : next;
            if (taken >= 0) value.Append((char)taken);
        }

        if (isQuoted && rest.Read() < 0) throw new FormatException("a quotation mark in it is not closed");
        return value.ToString();
    }

    private static string ReadWhile(StringReader rest, Func<char, bool> belongs)
    {
        var word = new StringBuilder();
        while (rest.Peek() is var next && next >= 0 && belongs((char)next)) word.Append((char)rest.Read());
        return word.ToString();
    }

    private static void SkipSpace(StringReader rest) => ReadWhile(rest, char.IsWhiteSpace);
}

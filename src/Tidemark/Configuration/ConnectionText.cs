using Npgsql;

namespace Tidemark;

/// <summary>
/// Reads connection strings in both forms people write, and splits those that name several hosts. Its errors quote no value.
/// </summary>
internal static class ConnectionText
{
    private const int DefaultPort = 5432;

    /// <summary>One builder for each host the text names.</summary>
    /// <exception cref="FormatException">Says what is wrong with the text, without its values: one of them is a password.</exception>
    public static IReadOnlyList<NpgsqlConnectionStringBuilder> Parse(string text)
    {
        var isUrl = text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);
        var settings = isUrl ? ReadUrl(text) : ReadKeywords(text);
        if (string.IsNullOrWhiteSpace(settings.Host)) throw new FormatException("it names no host");
        return [.. settings.Host.Split(',').Select(host => ForHost(settings, host.Trim()))];
    }

    private static NpgsqlConnectionStringBuilder ForHost(NpgsqlConnectionStringBuilder settings, string host)
    {
        if (host.Length == 0) throw new FormatException("its list of hosts has an empty entry");

        // Pairs that only spaces separate, all read as one host. It would be a node's name, with what may be a password in it.
        if (!host.StartsWith('/') && host.Any(c => c == '=' || char.IsWhiteSpace(c)))
            throw new FormatException("a host in it holds a space or '=': between keywords stands a ';'");
        var one = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Host = host };

        // host:port, but neither a socket folder nor an IPv6 address, whose port stands behind a bracket.
        var colon = host.LastIndexOf(':');
        var hasPort = colon > 0 && !host.StartsWith('/')
            && (host.IndexOf(':', StringComparison.Ordinal) == colon || host[colon - 1] == ']');
        if (hasPort)
        {
            one.Host = host[..colon];
            one.Port = ReadPort(host[(colon + 1)..]);
        }

        one.Host = one.Host.Trim('[', ']');
        return one;
    }

    private static NpgsqlConnectionStringBuilder ReadKeywords(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            // The driver's message may quote the value it could not read; only its name of the keyword is repeated here.
            throw new FormatException(KeywordProblem(text));
        }
    }

    /// <summary>Finds the keyword that the driver refuses by giving it one at a time.</summary>
    private static string KeywordProblem(string text)
    {
        var afterPassword = false;
        var number = 0;
        foreach (var part in text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            number++;
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) break;
            var keyword = part[..equals].Trim();
            if (!IsKnown(keyword)) return UnknownKeyword(number, afterPassword);
            try
            {
                new NpgsqlConnectionStringBuilder()[keyword] = part[(equals + 1)..].Trim();
            }
            catch (Exception e) when (IsRefusal(e))
            {
                return afterPassword ? $"the value of its keyword {number} cannot be read" : $"its value for '{keyword}' cannot be read";
            }

            afterPassword |= keyword.StartsWith('P') || keyword.StartsWith('p');
        }

        return "it is neither a list of 'Keyword=value' parts nor a postgres:// URL";
    }

    private static bool IsKnown(string keyword)
    {
        try
        {
            _ = new NpgsqlConnectionStringBuilder()[keyword];
            return true;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            return false;
        }
    }

    // All that the driver throws at a text; an unknown keyword without a value, for one, is a KeyNotFoundException.
    private static bool IsRefusal(Exception e) =>
        e is ArgumentException or FormatException or KeyNotFoundException or OverflowException or InvalidCastException;

    // By number and not by name: a password that holds a semicolon, or whose own keyword was left out, looks like a keyword.
    private static string UnknownKeyword(int number, bool afterPassword) =>
        $"its keyword {number} is none that Npgsql knows" + (afterPassword ? " (quote a password that holds a semicolon)" : "");

    private static NpgsqlConnectionStringBuilder ReadUrl(string text)
    {
        // System.Uri takes one host only, and a password may hold characters it would refuse; the form is libpq's.
        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        var query = Cut(ref rest, '?');
        var path = Cut(ref rest, '/');
        var at = rest.LastIndexOf('@');

        // The rest of a password would otherwise be read as database or parameter, and then appear in messages.
        if (at < 0 && (path + query).Contains('@', StringComparison.Ordinal) && rest.Contains(':', StringComparison.Ordinal))
            throw new FormatException("an '@' stands behind its first '/' or '?': write these two as %2F and %3F in a password, and '@' "
                + "as %40 elsewhere");
        var settings = new NpgsqlConnectionStringBuilder { Host = Uri.UnescapeDataString(rest[(at + 1)..]) };

        if (at >= 0)
        {
            var user = rest[..at];
            var password = Cut(ref user, ':');
            settings.Username = Uri.UnescapeDataString(user);
            if (password is not null) settings.Password = Uri.UnescapeDataString(password);
        }

        if (!string.IsNullOrEmpty(path)) settings.Database = Uri.UnescapeDataString(path);
        var number = 0;
        foreach (var pair in (query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries)) ReadParameter(settings, pair, ++number);
        return settings;
    }

    private static void ReadParameter(NpgsqlConnectionStringBuilder settings, string pair, int number)
    {
        var name = Uri.UnescapeDataString(pair.Split('=')[0]);
        var value = Uri.UnescapeDataString(Cut(ref pair, '=') ?? "");
        var keyword = name.ToUpperInvariant() switch
        {
            "SSLMODE" => "SSL Mode",
            "SSLROOTCERT" => "Root Certificate",
            "SSLCERT" => "SSL Certificate",
            "SSLKEY" => "SSL Key",
            "APPLICATION_NAME" => "Application Name",
            "CONNECT_TIMEOUT" => "Timeout",
            "CLIENT_ENCODING" => "Client Encoding",
            "DBNAME" => "Database",
            "USER" => "Username",
            "TARGET_SESSION_ATTRS" => "Target Session Attributes",
            _ => name,
        };

        // libpq writes verify-full and read-write, Npgsql VerifyFull and read-write.
        if (keyword == "SSL Mode") value = value.Replace("-", "", StringComparison.Ordinal);
        try
        {
            settings[keyword] = value;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            // An unknown name may be a part of a password; the known ones are not.
            throw new FormatException(keyword == name
                ? $"its parameter {number} is unknown or has a value that cannot be read"
                : $"its parameter '{name}' has a value that cannot be read");
        }
    }

    private static int ReadPort(string text) =>
        text.Length == 0 ? DefaultPort
        : int.TryParse(text, out var port) && port is > 0 and <= 65_535 ? port
        : throw new FormatException("its port is not a number from 1 to 65535");

    /// <summary>Shortens the text to what stands before the mark, and gives what stands behind it.</summary>
    private static string? Cut(ref string text, char mark)
    {
        var index = text.IndexOf(mark, StringComparison.Ordinal);
        if (index < 0) return null;
        var behind = text[(index + 1)..];
        text = text[..index];
        return behind;
    }
}

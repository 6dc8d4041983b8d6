using Npgsql;

namespace Tidemark;

/// <summary>
/// Parses connection strings, as keywords or as a URL, and splits those with several hosts. Its error messages do not quote values.
/// </summary>
internal static class ConnectionText
{
    private const int DefaultPort = 5432;

    /// <summary>Returns one builder for each host in the text.</summary>
    /// <exception cref="FormatException">
    /// The text is not valid. The message does not quote values, because one of them can be a password.
    /// </exception>
    public static IReadOnlyList<NpgsqlConnectionStringBuilder> Parse(string text)
    {
        var isUrl = text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);
        var settings = isUrl ? ReadUrl(text) : ReadKeywords(text);
        if (string.IsNullOrWhiteSpace(settings.Host)) throw new FormatException("it does not contain a host");
        return [.. settings.Host.Split(',').Select(host => ForHost(settings, host.Trim()))];
    }

    private static NpgsqlConnectionStringBuilder ForHost(NpgsqlConnectionStringBuilder settings, string host)
    {
        if (host.Length == 0) throw new FormatException("its list of hosts has an empty entry");

        // Npgsql reads pairs that are separated only by spaces as one host. That text would become the name of a node, and may contain a
        // password.
        if (!host.StartsWith('/') && host.Any(c => c == '=' || char.IsWhiteSpace(c)))
            throw new FormatException("a host in it contains a space or '=': separate keywords with ';'");
        var one = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Host = host };

        // A host with a port, but not a socket directory or an IPv6 address without brackets. The port of an IPv6 address follows its
        // bracket.
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
            // The driver's message may quote the value that it could not parse. This message contains at most the name of the keyword.
            throw new FormatException(KeywordProblem(text));
        }
    }

    /// <summary>Finds the keyword that the driver rejects, by passing the keywords one at a time.</summary>
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

    // The exceptions that the driver throws for an invalid text. For example, an unknown keyword without a value causes a
    // KeyNotFoundException.
    private static bool IsRefusal(Exception e) =>
        e is ArgumentException or FormatException or KeyNotFoundException or OverflowException or InvalidCastException;

    // The keyword is identified by its number. A password that contains a semicolon, or whose own keyword was omitted, looks like a
    // keyword, so the name must not be quoted.
    private static string UnknownKeyword(int number, bool afterPassword) =>
        $"its keyword {number} is not supported by Npgsql" + (afterPassword ? " (quote a password that contains a semicolon)" : "");

    private static NpgsqlConnectionStringBuilder ReadUrl(string text)
    {
        // System.Uri accepts only one host, and rejects characters that a password may contain. The format is that of libpq.
        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        var query = Cut(ref rest, '?');
        var path = Cut(ref rest, '/');
        var at = rest.LastIndexOf('@');

        // Otherwise the rest of a password would be parsed as a database or parameter, and would then appear in messages.
        if (at < 0 && (path + query).Contains('@', StringComparison.Ordinal) && rest.Contains(':', StringComparison.Ordinal))
            throw new FormatException("it contains an '@' after its first '/' or '?'. Write these two as %2F and %3F in a password, "
                + "and '@' as %40 elsewhere");
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

        // libpq uses the value verify-full and Npgsql uses VerifyFull. Both use read-write.
        if (keyword == "SSL Mode") value = value.Replace("-", "", StringComparison.Ordinal);
        try
        {
            settings[keyword] = value;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            // An unknown name may be part of a password, so it is not quoted. Known names are safe.
            throw new FormatException(keyword == name
                ? $"its parameter {number} is unknown or has a value that cannot be read"
                : $"its parameter '{name}' has a value that cannot be read");
        }
    }

    private static int ReadPort(string text) =>
        text.Length == 0 ? DefaultPort
        : int.TryParse(text, out var port) && port is > 0 and <= 65_535 ? port
        : throw new FormatException("its port is not a number from 1 to 65535");

    /// <summary>
    /// Truncates the text before the separator and returns the part after it, or <see langword="null"/> if the text does not contain it.
    /// </summary>
    private static string? Cut(ref string text, char separator)
    {
        var index = text.IndexOf(separator, StringComparison.Ordinal);
        if (index < 0) return null;
        var rest = text[(index + 1)..];
        text = text[..index];
        return rest;
    }
}

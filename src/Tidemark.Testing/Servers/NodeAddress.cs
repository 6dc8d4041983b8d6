using System.Globalization;

namespace Tidemark.Testing;

/// <summary>Composes Npgsql connection strings to servers on loopback, as the superuser <c>postgres</c>, without a password.</summary>
internal static class NodeAddress
{
    public static string ConnectionString(string database, params IEnumerable<int> ports)
    {
        var all = ports.ToList();
        var hosts = all.Count == 1
            ? string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={all[0]}")
            : "Host=" + string.Join(',', all.Select(port => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}")));
        return $"{hosts};Database={database};Username=postgres;SSL Mode=Disable;GSS Encryption Mode=Disable";
    }
}

using System.Globalization;

namespace Tidemark.Testing;

/// <summary>How the superuser <c>postgres</c> reaches servers on loopback, in the keywords of Npgsql. There are no passwords.</summary>
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

namespace Tidemark;

/// <summary>
/// The options of a running data source: a copy that no caller can change, replaced as a whole when the configuration is reloaded. Safe
/// for concurrent use.
/// </summary>
internal sealed class LiveOptions(TidemarkOptions options)
{
    private readonly Lock _reloading = new();
    private volatile TidemarkOptions _current = Copy(options);

    public TidemarkOptions Current => _current;

    /// <summary>Applies valid options, except for those that require a restart.</summary>
    /// <param name="next">The options as the configuration has them now.</param>
    /// <returns>The names of the options that were applied, and of those that differ and require a restart.</returns>
    public (IReadOnlyList<string> Applied, IReadOnlyList<string> Pending) Reload(TidemarkOptions next)
    {
        List<string> applied = [], pending = [];
        lock (_reloading)
        {
            var (current, replaced) = (_current, Copy(_current));
            if (!HasSameNodes(current, next)) pending.Add("Nodes");
            foreach (var setting in OptionDeclarations.OfCluster)
            {
                if (setting.IsEqual(current, next)) continue;
                (setting.IsReloaded ? applied : pending).Add(setting.Name);
                if (setting.IsReloaded) setting.Copy(next, replaced);
            }

            _current = replaced;
        }

        return (applied, pending);
    }

    private static bool HasSameNodes(TidemarkOptions one, TidemarkOptions other) =>
        one.Nodes.Count == other.Nodes.Count && one.Nodes.All(entry => other.Nodes.TryGetValue(entry.Key, out var node)
            && node.ConnectionString == entry.Value.ConnectionString
            && OptionDeclarations.OfNode.All(setting => setting.IsEqual(node, entry.Value)));

    private static TidemarkOptions Copy(TidemarkOptions options)
    {
        var copy = new TidemarkOptions { Path = options.Path };
        foreach (var setting in OptionDeclarations.OfCluster) setting.Copy(options, copy);
        foreach (var (name, node) in options.Nodes)
        {
            var copied = new NodeOptions { ConnectionString = node.ConnectionString };
            foreach (var setting in OptionDeclarations.OfNode) setting.Copy(node, copied);
            copy.Nodes.Add(name, copied);
        }

        return copy;
    }
}

namespace Tidemark.Testing;

/// <summary>One node of a <see cref="KeptCluster"/>.</summary>
public sealed class KeptNode
{
    internal KeptNode(string name, int port, string database) =>
        (Name, Port, ConnectionString) = (name, port, NodeAddress.ConnectionString(database, port));

    /// <summary>The name, such as <c>pg-2</c>.</summary>
    public string Name { get; }

    /// <summary>The port on 127.0.0.1, which is the node's own as long as the cluster is kept.</summary>
    public int Port { get; }

    /// <summary>How the superuser <c>postgres</c> reaches the cluster's database on it, in the keywords of Npgsql. No password.</summary>
    public string ConnectionString { get; }
}

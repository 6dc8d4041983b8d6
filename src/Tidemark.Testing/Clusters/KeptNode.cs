namespace Tidemark.Testing;

/// <summary>One node of a <see cref="KeptCluster"/>.</summary>
public sealed class KeptNode
{
    internal KeptNode(string name, int port, string database) =>
        (Name, Port, ConnectionString) = (name, port, NodeAddress.ConnectionString(database, port));

    /// <summary>The name, such as <c>pg-2</c>.</summary>
    public string Name { get; }

    /// <summary>The port on 127.0.0.1, reserved for this node as long as the cluster is kept.</summary>
    public int Port { get; }

    /// <summary>
    /// An Npgsql connection string to the cluster's database on this node, as the superuser <c>postgres</c>, without a password.
    /// </summary>
    public string ConnectionString { get; }
}

using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark.Matrix;

/// <summary>A primary with two replicas, an ordinary role with rights on the tables only, and one way to connect to them.</summary>
public class MatrixCluster(Way way) : IAsyncLifetime
{
    private const string Role = "app";

    private readonly Dictionary<string, PgBouncer> _bouncers = [];
    private TcpBalancer? _writer;
    private TcpBalancer? _reader;

    public LocalCluster Cluster { get; private set; } = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(cancellationToken: Stop);
        // Default privileges, so that the role can also use the table that a HistoryRecorder creates.
        await Cluster.Primary.RunAsync($"CREATE ROLE {Role} LOGIN; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {Role}");
        await Cluster.Primary.RunAsync("""
            CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
            CREATE TABLE notes (note text NOT NULL);
            CREATE FUNCTION note(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO notes VALUES ($1); RETURN 1; END'
            """);
        await Cluster.WaitForReplayAsync(Stop);
        if (way == Way.PgBouncer)
        {
            foreach (var node in Cluster.Nodes) _bouncers.Add(node.Name, await PgBouncer.StartAsync(node.Port, [Role], Stop));
        }
        else if (way == Way.Balancer)
        {
            _writer = new TcpBalancer(Cluster.Primary.Port);
            _reader = new TcpBalancer(Cluster.Replicas.Select(replica => replica.Port));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var bouncer in _bouncers.Values) await bouncer.DisposeAsync();
        if (_writer is not null) await _writer.DisposeAsync();
        if (_reader is not null) await _reader.DisposeAsync();
        await Cluster.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Returns a data source that connects to the cluster this way, as soon as plain Npgsql can.</summary>
    public async Task<TidemarkDataSource> ConnectAsync()
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var (name, connectionString) in Addresses())
        {
            // After a restart PgBouncer refuses logins until its next attempt.
            while (!await AnswersAsync(connectionString)) await Task.Delay(50, Stop);
            builder.AddNode(name, connectionString);
        }

        return builder.Build();
    }

    public static StoreContext CreateContext(TidemarkDataSource source) =>
        new(new DbContextOptionsBuilder<StoreContext>().UseTidemark(source).Options);

    /// <summary>
    /// Promotes a replica, lets the other follow it, and then directs the names to the right servers, as a managed service does.
    /// </summary>
    public async Task PromoteAsync(string name)
    {
        await Cluster[name].PromoteAsync(cancellationToken: Stop);
        _writer?.Direct(Cluster.Primary.Port);
        _reader?.Direct(Cluster.Replicas.Select(replica => replica.Port));
        _reader?.CutConnections();
    }

    private static async Task<bool> AnswersAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        try
        {
            await connection.OpenAsync(Stop);
            await using var command = new NpgsqlCommand("SELECT 1", connection);
            await command.ExecuteScalarAsync(Stop);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private IEnumerable<(string Name, string ConnectionString)> Addresses() => way switch
    {
        Way.Superuser => Cluster.Nodes.Select(node => (node.Name, node.ConnectionString)),
        Way.OrdinaryRole => Cluster.Nodes.Select(node => (node.Name, $"{node.ConnectionString};Username={Role}")),
        Way.PgBouncer => Cluster.Nodes.Select(node => (node.Name, Through(_bouncers[node.Name].Port) + ";No Reset On Close=true")),
        Way.Balancer => [("writer", Through(_writer!.Port)), ("reader", Through(_reader!.Port))],
        _ => throw new ArgumentOutOfRangeException(nameof(way)),
    };

    private string Through(int port) => Cluster.Primary.ConnectionString.Replace(
        string.Create(CultureInfo.InvariantCulture, $"Port={Cluster.Primary.Port}"),
        string.Create(CultureInfo.InvariantCulture, $"Port={port}"), StringComparison.Ordinal) + $";Username={Role}";
}

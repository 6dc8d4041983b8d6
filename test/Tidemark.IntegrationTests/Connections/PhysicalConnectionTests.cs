using Npgsql;

namespace Tidemark;

/// <summary>The driver's internals that show whether a connection broke, and whether the server sent an answer on it.</summary>
public sealed class PhysicalConnectionTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task This_version_of_Npgsql_exposes_the_required_internals()
    {
        await using var connection = new NpgsqlConnection(shared.Cluster.Primary.ConnectionString);
        await connection.OpenAsync(Stop);
        var physical = PhysicalConnection.Of(connection).ShouldNotBeNull();
        var before = physical.Received;
        physical.Received.ShouldBe(before);
        await using (var command = new NpgsqlCommand("SELECT 1", connection)) await command.ExecuteScalarAsync(Stop);
        physical.Received.ShouldBeGreaterThan(before);
        physical.IsBroken.ShouldBeFalse();

        await using var ending = new NpgsqlCommand("SELECT pg_terminate_backend(pg_backend_pid())", connection);
        await Should.ThrowAsync<NpgsqlException>(() => ending.ExecuteScalarAsync(Stop));
        await connection.CloseAsync();
        physical.IsBroken.ShouldBeTrue();
    }
}

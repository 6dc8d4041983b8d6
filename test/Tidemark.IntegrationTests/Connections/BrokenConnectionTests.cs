using System.Data.Common;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Dapper opens a closed connection for one query and reads with <c>CommandBehavior.CloseConnection</c>. A connection that breaks in this
/// mode reports that it was closed. What was sent on it is nevertheless in doubt.
/// </summary>
public sealed class BrokenConnectionTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a query")]
    [InlineData("an unbuffered query")]
    [InlineData("a reader")]
    [InlineData("a context's connection")]
    [InlineData("a count")]
    public async Task A_write_of_Dapper_whose_response_is_lost_is_in_doubt(string by)
    {
        await using var relay = new Relay(shared.Cluster.Primary.Port);
        await using var source = await shared.ConnectAsync(b =>
        {
            var primary = b.Options.Nodes["pg-1"];
            primary.ConnectionString = new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Port = relay.Port }.ConnectionString;
        });
        using var session = source.BeginSession();
        await using var db = shared.CreateContext(source);
        await using var own = (DbConnection)source.CreateConnection();
        var name = by.Replace("'", "", StringComparison.Ordinal);
        var sql = $"INSERT INTO items (name) VALUES ('{name}') RETURNING id";
        relay.LosesAnswerTo = sql[..^1];
        await Should.ThrowAsync<NpgsqlException>(() => by switch
        {
            "an unbuffered query" => ReadAllAsync(own, sql),
            "a reader" => own.ExecuteReaderAsync(sql),
            "a count" => own.ExecuteAsync(sql),
            "a context's connection" => db.Database.GetDbConnection().QueryAsync<int>(sql),
            _ => own.QueryAsync<int>(sql),
        });
        session.IsInDoubt.ShouldBeTrue();

        // The outcome is settled when the server process has ended.
        (await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value.ShouldBe(1);
    }

    private static async Task ReadAllAsync(DbConnection connection, string sql)
    {
        await foreach (var _ in connection.QueryUnbufferedAsync<int>(sql).WithCancellation(Stop))
        {
        }
    }
}

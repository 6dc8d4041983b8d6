using System.Data;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>Output parameters return the same values as without Tidemark.</summary>
public sealed class OutputParameterTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private const string Insert = "INSERT INTO items (name) VALUES ('out') RETURNING id";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a command")]
    [InlineData("a command, sync")]
    [InlineData("a scalar")]
    [InlineData("a context")]
    [InlineData("a read")]
    [InlineData("a checked read")]
    public async Task An_output_parameter_has_its_value(string by)
    {
        using var session = shared.Source.BeginSession();
        var output = new NpgsqlParameter("id", DbType.Int32) { Direction = ParameterDirection.Output };
        if (by == "a context")
        {
            await using var db = shared.CreateContext();
            await db.Database.ExecuteSqlRawAsync(Insert, [output], Stop);
        }
        else
        {
            var isRead = by.EndsWith("read", StringComparison.Ordinal);
            if (by == "a checked read") await shared.Source.WriteAsync("INSERT INTO items (name) VALUES ('before')");
            await using var command = isRead
                ? shared.Source.CreateReadCommand("SELECT max(id) AS id FROM items")
                : shared.Source.CreateCommand(Insert);
            command.Parameters.Add(output);
#pragma warning disable CA1849 // The synchronous way is one of those tried.
            _ = by switch
            {
                "a command, sync" => command.ExecuteNonQuery(),
                "a scalar" => await command.ExecuteScalarAsync(Stop),
                _ => await command.ExecuteNonQueryAsync(Stop),
            };
#pragma warning restore CA1849
        }

        Convert.ToInt32(output.Value, CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
    }
}

using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>The code of docs/testing.md. <see cref="MirrorTests"/> compares the two and runs this code.</summary>
internal static class MirrorExample
{
    public static async Task RunAsync(string connectionString)
    {
        // docs
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var routes = new RouteRecorder { Replicas = ["pg-2", "pg-3"] };

        var options = new DbContextOptionsBuilder<StoreContext>().UseTidemarkMirror(transaction, routes).Options;
        await using var db = new StoreContext(options);

        db.Add(new Item { Name = "a lighthouse" });
        await db.SaveChangesAsync();
        var names = await db.Items.Select(i => i.Name).ToListAsync();

        names.ShouldContain("a lighthouse");                  // though nothing is committed
        routes.Reads.ShouldAllBe(read => read.Role == NodeRole.Replica);
        await transaction.RollbackAsync();
        // end
    }
}

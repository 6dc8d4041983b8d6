using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>How these tests read and write.</summary>
public abstract class ObservationsOf
{
    protected abstract StoreCluster Store { get; }

    protected LocalCluster Cluster => Store.Cluster;

    protected TidemarkDataSource Source => Store.Source;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected async Task<string?> NameAsync(int id, Consistency? level = null) =>
        (await Source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}", level)).Value;

    protected async Task<long> CountAsync(string name) =>
        (await Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value;

    protected async Task<string> ReadOnPrimaryAsync(string by, int id)
    {
        var sql = $"SELECT name FROM items WHERE id = {id}";
        await using var context = Store.CreateContext();
        switch (by)
        {
            case "a strong command":
                return (await NameAsync(id, Consistency.Strong))!;
            case "a strong connection":
                await using (var connection = await Source.OpenReadConnectionAsync(Consistency.Strong, Stop))
                    return await ScalarAsync(connection, sql);
            case "a write connection":
                await using (var connection = await Source.OpenWriteConnectionAsync(Stop))
                    return await ScalarAsync(connection, sql);
            case "a command for writing":
                await using (var command = Source.CreateCommand(sql))
                    return (string)(await command.ExecuteScalarAsync(Stop))!;
            case "a tracking query":
                return (await context.Items.SingleAsync(i => i.Id == id, Stop)).Name;
            case "a strong query":
                return await context.Items.WithConsistency(Consistency.Strong).Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop);
            case "a query in a transaction":
                await using (var transaction = await context.Database.BeginTransactionAsync(Stop))
                {
                    var name = await context.Items.Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop);
                    await transaction.RollbackAsync(Stop);
                    return name;
                }

            default:
                return (await context.Database.SqlQuery<string>($"SELECT name AS \"Value\" FROM items WHERE id = {id}").ToListAsync(Stop))
                    .Single();
        }
    }

    protected static async Task<string> ScalarAsync(DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (string)(await command.ExecuteScalarAsync(Stop))!;
    }

    protected async Task InsertAsync(string by, string name)
    {
        var sql = $"INSERT INTO items (name) VALUES ('{name}')";
        await using var context = Store.CreateContext();
        switch (by)
        {
            case "a command":
                await Source.WriteAsync(sql);
                break;
            case "a write connection":
                await using (var connection = await Source.OpenWriteConnectionAsync(Stop))
                await using (var command = new NpgsqlCommand(sql, connection))
                    await command.ExecuteNonQueryAsync(Stop);
                break;
            case "ExecuteSql":
                await context.Database.ExecuteSqlAsync($"INSERT INTO items (name) VALUES ({name})", Stop);
                break;
            default:
                await using (var transaction = by == "SaveChanges" ? null : await context.Database.BeginTransactionAsync(Stop))
                {
                    context.Add(new Item { Name = name });
                    await context.SaveChangesAsync(Stop);
                    if (transaction is not null) await transaction.CommitAsync(Stop);
                }

                break;
        }
    }
}

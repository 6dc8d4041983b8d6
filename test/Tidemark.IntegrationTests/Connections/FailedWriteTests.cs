using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Writes that fail late, after returning rows or at the commit, with a piggybacked position query. They fail as they do without Tidemark,
/// and have no further effect.
/// </summary>
public sealed class FailedWriteTests : IAsyncLifetime
{
    private const string Deferred = "INSERT INTO children (parent) VALUES (42)";
    private const string DeferredWithRows = Deferred + " RETURNING id";
    private const string Midway = "SELECT refuse(i) FROM generate_series(1, 3000) i";

    private readonly OneServer _store = new();

    public static MatrixTheoryData<string, string, bool, bool> Commands =>
        new([Deferred, DeferredWithRows, Midway], ["non-query", "scalar", "rows"], [false, true], [false, true]);

    public static MatrixTheoryData<string, string, bool, bool> Queries =>
        new([DeferredWithRows, Midway], ["all", "first"], [false, true], [false, true]);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _store.InitializeAsync();
        await _store.Cluster.Primary.RunAsync("""
            CREATE TABLE parents (id int PRIMARY KEY);
            CREATE TABLE children (id int GENERATED ALWAYS AS IDENTITY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
            CREATE FUNCTION refuse(n int) RETURNS int LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO items (name) VALUES ('midway'); IF n = 2000 THEN RAISE EXCEPTION 'no %', n; END IF; RETURN n; END $$
            """);
    }

    public async ValueTask DisposeAsync() => await _store.DisposeAsync();

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_command_fails_as_it_does_without_Tidemark(string sql, string how, bool isAsync, bool resets)
    {
        await using var plain = NpgsqlDataSource.Create(_store.Cluster.Primary.ConnectionString);
        await using var routed = await OneConnectionAsync(resets);
        await using var there = plain.CreateCommand(sql);
        await using var here = routed.CreateCommand(sql);

        var expected = await Should.ThrowAsync<PostgresException>(() => RunAsync(there, how, isAsync));
        var failure =
            await Should.ThrowAsync<PostgresException>(() => RunAsync(here, how, isAsync).WaitAsync(TimeSpan.FromSeconds(20), Stop));
        failure.SqlState.ShouldBe(expected.SqlState);
        await ShouldBeInOrderAsync(routed);
    }

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task A_context_fails_as_it_does_without_Tidemark(string sql, string how, bool isAsync, bool resets)
    {
        await using var routed = await OneConnectionAsync(resets);
        await using (var context = _store.CreateContext(routed))
        {
            var rows = context.Database.SqlQueryRaw<int>(
                sql.Replace("RETURNING id", "RETURNING id AS \"Value\"", StringComparison.Ordinal));
            var failure =
                await Should.ThrowAsync<PostgresException>(() => ReadAsync(rows, how, isAsync).WaitAsync(TimeSpan.FromSeconds(20), Stop));
            failure.SqlState.ShouldBe(sql == Midway ? "P0001" : "23503");
        }

        await ShouldBeInOrderAsync(routed);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_save_fails_as_it_does_without_Tidemark(bool isAsync, bool inTransaction)
    {
        await _store.Cluster.Primary.RunAsync("""
            CREATE TABLE lonely (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
            INSERT INTO lonely VALUES (1);
            CREATE FUNCTION lonely() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO lonely VALUES (1); RETURN NULL; END $$;
            CREATE TRIGGER lonely AFTER INSERT ON items FOR EACH ROW WHEN (NEW.name = 'never') EXECUTE FUNCTION lonely()
            """);
        await using var routed = await OneConnectionAsync(resets: false);
        await using (var context = _store.CreateContext(routed))
        {
            if (inTransaction) context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
            context.Add(new Item { Name = "never" });
            var failure =
                await Should.ThrowAsync<Exception>(async () => _ = isAsync ? await context.SaveChangesAsync(Stop) : context.SaveChanges());
            (failure as PostgresException ?? failure.InnerException).ShouldBeOfType<PostgresException>().SqlState.ShouldBe("23505");
        }

        await ShouldBeInOrderAsync(routed);
    }

    private static async Task RunAsync(System.Data.Common.DbCommand command, string how, bool isAsync)
    {
        switch (how)
        {
            case "non-query":
                _ = isAsync ? await command.ExecuteNonQueryAsync(Stop) : command.ExecuteNonQuery();
                break;
            case "scalar":
                _ = isAsync ? await command.ExecuteScalarAsync(Stop) : command.ExecuteScalar();
                break;
            default:
                await using (var reader = isAsync ? await command.ExecuteReaderAsync(Stop) : command.ExecuteReader())
                    while (isAsync ? await reader.ReadAsync(Stop) : reader.Read()) { }
                break;
        }
    }

    private static async Task ReadAsync(IQueryable<int> rows, string how, bool isAsync)
    {
        if (how == "all")
        {
            _ = isAsync ? await rows.ToListAsync(Stop) : rows.ToList();
        }
        else if (isAsync)
        {
            await foreach (var _ in rows.AsAsyncEnumerable().WithCancellation(Stop)) break;
        }
        else
        {
            using var each = rows.AsEnumerable().GetEnumerator();
            each.MoveNext();
        }
    }

    /// <summary>
    /// A data source with a single connection for writes. The next command uses the same connection, whatever state the previous command
    /// left.
    /// </summary>
    private Task<TidemarkDataSource> OneConnectionAsync(bool resets) =>
        _store.ConnectAsync(b => b.AddToConnectionStrings($"Maximum Pool Size=1;Command Timeout=10;No Reset On Close={!resets}"));

    private async Task ShouldBeInOrderAsync(TidemarkDataSource source)
    {
        for (var i = 0; i < 3; i++)
        {
            await using var command = source.CreateCommand($"INSERT INTO items (name) VALUES ('after') RETURNING {i} + 100");
            (await command.ExecuteScalarAsync(Stop)).ShouldBe(i + 100);
            await using var plain = await source.OpenWriteConnectionAsync(Stop);
            await using var question = new NpgsqlCommand($"SELECT {i} + 200", plain);
            (await question.ExecuteScalarAsync(Stop)).ShouldBe(i + 200);
        }

        (await _store.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name IN ('midway', 'never')")).ShouldBe(0);
        (await _store.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM children")).ShouldBe(0);
    }
}

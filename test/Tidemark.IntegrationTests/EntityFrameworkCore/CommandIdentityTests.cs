using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>Interceptors get one command object from its creation to its end, and what they change in it is what runs.</summary>
public sealed class CommandIdentityTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a write")]
    [InlineData("a save")]
    [InlineData("a read")]
    [InlineData("a checked read")]
    [InlineData("a tracking query")]
    public async Task The_command_that_runs_is_the_one_that_was_created(string kind)
    {
        using var session = shared.Source.BeginSession();
        if (kind == "a checked read") await shared.Source.WriteAsync("INSERT INTO items (name) VALUES ('before')");
        var commands = new Commands();
        await using var db = new StoreContext(
            new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source).AddInterceptors(commands).Options);
        switch (kind)
        {
            case "a write":
                await db.Database.ExecuteSqlAsync($"UPDATE items SET name = name WHERE id = {1}", Stop);
                break;
            case "a save":
                db.Items.Add(new Item { Name = "saved" });
                await db.SaveChangesAsync(Stop);
                break;
            case "a tracking query":
                await db.Items.FirstAsync(Stop);
                break;
            default:
                await db.Items.AsNoTracking().FirstAsync(Stop);
                break;
        }

        commands.Events.ShouldBe(["created", "initialized", "executing", "executed"]);
        commands.Objects.Distinct(ReferenceEqualityComparer.Instance).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_write_whose_text_an_interceptor_replaces_runs_with_that_text()
    {
        using var session = shared.Source.BeginSession();
        var commands = new Commands { Text = "INSERT INTO items (name) VALUES ('one'); INSERT INTO items (name) VALUES ('two')" };
        await using var db = new StoreContext(
            new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source).AddInterceptors(commands).Options);
        (await db.Database.ExecuteSqlRawAsync("INSERT INTO items (name) VALUES ('zero')", Stop)).ShouldBe(2);

        commands.Text = null;
        (await db.Items.AsNoTracking().CountAsync(item => item.Name == "two", Stop)).ShouldBe(1);
    }

    /// <summary>Records the events of each command, and replaces its text if one is given.</summary>
    private sealed class Commands : DbCommandInterceptor
    {
        public List<string> Events { get; } = [];

        public List<DbCommand> Objects { get; } = [];

        public string? Text { get; set; }

        public override DbCommand CommandCreated(CommandEndEventData eventData, DbCommand result) => Note("created", result);

        public override DbCommand CommandInitialized(CommandEndEventData eventData, DbCommand result)
        {
            if (Text is not null) result.CommandText = Text;
            return Note("initialized", result);
        }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default)
        {
            Note("executing", command);
            return new(result);
        }

        public override ValueTask<DbDataReader> ReaderExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
        {
            Note("executed", command);
            return new(result);
        }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            Note("executing", command);
            return new(result);
        }

        public override ValueTask<int> NonQueryExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            Note("executed", command);
            return new(result);
        }

        private DbCommand Note(string happened, DbCommand command)
        {
            Events.Add(happened);
            Objects.Add(command);
            return command;
        }
    }
}

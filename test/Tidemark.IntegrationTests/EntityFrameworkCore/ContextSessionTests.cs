using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>
/// Which session a context's reads and writes belong to. Replay is paused on every replica, so that only a read in the right session finds
/// what was written.
/// </summary>
public sealed class ContextSessionTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Outside_any_session_each_context_is_a_session_of_its_own(bool isAsync)
    {
        await using var writer = shared.CreateContext();
        await using var other = shared.CreateContext();
        var name = await WriteAsync(writer, isAsync);

        (await HasAsync(writer, name, isAsync)).ShouldBeTrue();
        (await HasAsync(other, name, isAsync)).ShouldBeFalse();
        (await HasAsync(writer, name, isAsync)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Contexts_within_one_session_share_it_and_a_context_outside_does_not(bool isAsync)
    {
        await using var before = shared.CreateContext();
        string name;
        using (shared.Source.BeginSession())
        {
            await using var writer = shared.CreateContext();
            name = await WriteAsync(writer, isAsync);
            await using var reader = shared.CreateContext();
            (await HasAsync(reader, name, isAsync)).ShouldBeTrue();
            (await HasAsync(before, name, isAsync)).ShouldBeTrue();

            using (shared.Source.BeginSession()) (await HasAsync(reader, name, isAsync))
                .ShouldBeFalse("a nested session is independent");
            (await HasAsync(reader, name, isAsync)).ShouldBeTrue();
        }

        (await HasAsync(before, name, isAsync)).ShouldBeFalse("the session is over");
    }

    [Fact]
    public async Task A_context_that_is_reused_from_a_pool_is_a_new_session()
    {
        await using var services = new ServiceCollection().AddSingleton(shared.Source)
            .AddDbContextPool<StoreContext>((provider, db) => db.UseTidemark(provider), poolSize: 1).BuildServiceProvider();
        string name;
        StoreContext first;
        await using (var scope = services.CreateAsyncScope())
        {
            first = scope.ServiceProvider.GetRequiredService<StoreContext>();
            name = await WriteAsync(first, isAsync: true);
            (await HasAsync(first, name, isAsync: true)).ShouldBeTrue();
        }

        await using (var scope = services.CreateAsyncScope())
        {
            var next = scope.ServiceProvider.GetRequiredService<StoreContext>();
            next.ShouldBeSameAs(first);
            (await HasAsync(next, name, isAsync: true)).ShouldBeFalse();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_after_a_tracking_query_without_a_connection_belongs_to_the_session(bool isAsync)
    {
        using var session = shared.Source.BeginSession();
        var refusal = new OneRefusal();
        await using var context =
            new StoreContext(new DbContextOptionsBuilder<StoreContext>().AddInterceptors(refusal).UseTidemark(shared.Source).Options);
        await Should.ThrowAsync<TimeoutException>(async () => _ = isAsync ? await context.Items.ToListAsync(Stop) : context.Items.ToList());

        // The transaction opens the connection before any command shows what it is used for.
        await using var transaction = isAsync ? await context.Database.BeginTransactionAsync(Stop) : context.Database.BeginTransaction();
        await WriteAsync(context, isAsync);
        if (isAsync) await transaction.CommitAsync(Stop);
        else transaction.Commit();
        session.Written.ShouldNotBeNull();
    }

    private static async Task<string> WriteAsync(StoreContext context, bool isAsync)
    {
        var item = new Item { Name = Guid.NewGuid().ToString() };
        context.Add(item);
        if (isAsync) await context.SaveChangesAsync(Stop);
        else context.SaveChanges();
        return item.Name;
    }

    private static Task<bool> HasAsync(StoreContext context, string name, bool isAsync) =>
        isAsync ? context.Items.AnyAsync(i => i.Name == name, Stop) : Task.FromResult(context.Items.Any(i => i.Name == name));

    /// <summary>Makes the first opening of a connection fail.</summary>
    private sealed class OneRefusal : DbConnectionInterceptor
    {
        private bool _isOver;

        public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData,
            InterceptionResult result)
        {
            if (_isOver) return result;
            _isOver = true;
            throw new TimeoutException("no connection");
        }

        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result,
                CancellationToken cancellationToken = default) =>
            new(ConnectionOpening(connection, eventData, result));
    }
}

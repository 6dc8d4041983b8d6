using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>A transaction of a context ends as the application's code and its interceptors decide, as with plain EF Core.</summary>
public sealed class TransactionEndTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<bool, string, bool> Ends
    {
        get
        {
            var data = new TheoryData<bool, string, bool>();
            foreach (var isRouted in (bool[])[false, true])
                foreach (var end in (string[])["commit", "rollback"])
                    foreach (var isAsync in (bool[])[false, true])
                        data.Add(isRouted, end, isAsync);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_commit_after_the_end_throws_as_with_plain_EF_Core(bool isRouted, string end, bool isAsync)
    {
        await using var db = Create(isRouted);
        await using var transaction = await db.Database.BeginTransactionAsync(Stop);
        db.Add(new Item { Name = $"ended by {end} {isRouted} {isAsync}" });
        await db.SaveChangesAsync(Stop);
        if (end == "commit") await transaction.CommitAsync(Stop);
        else await transaction.RollbackAsync(Stop);

        await Should.ThrowAsync<InvalidOperationException>(async () =>
        {
            if (isAsync) await transaction.CommitAsync(Stop);
            else transaction.Commit();
        });
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task An_interceptor_decides_on_a_commit_before_it_is_sent(bool isRouted, bool isAsync)
    {
        var interceptor = new Suppressing();
        var name = $"suppressed {isRouted} {isAsync}";
        await using (var db = Create(isRouted, interceptor))
        await using (var transaction = await db.Database.BeginTransactionAsync(Stop))
        {
            db.Add(new Item { Name = name });
            await db.SaveChangesAsync(Stop);
            if (isAsync) await transaction.CommitAsync(Stop);
            else transaction.Commit();
        }

        interceptor.Observed.ShouldBe(["committing, suppressed: False", "committed"]);
        (await shared.Cluster.Primary.QueryAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).ShouldBe(0);
    }

    private StoreContext Create(bool isRouted, IInterceptor? interceptor = null)
    {
        var options = new DbContextOptionsBuilder<StoreContext>();
        if (isRouted) options.UseTidemark(shared.Source);
        else options.UseNpgsql(shared.Cluster.Primary.ConnectionString);
        if (interceptor is not null) options.AddInterceptors(interceptor);
        return new StoreContext(options.Options);
    }

    private sealed class Suppressing : DbTransactionInterceptor
    {
        public List<string> Observed { get; } = [];

        public override InterceptionResult TransactionCommitting(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
        {
            Observed.Add($"committing, suppressed: {result.IsSuppressed}");
            return InterceptionResult.Suppress();
        }

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData,
            InterceptionResult result, CancellationToken cancellationToken = default) =>
            new(TransactionCommitting(transaction, eventData, result));

        public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) =>
            Observed.Add("committed");

        public override Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Observed.Add("committed");
            return Task.CompletedTask;
        }
    }
}

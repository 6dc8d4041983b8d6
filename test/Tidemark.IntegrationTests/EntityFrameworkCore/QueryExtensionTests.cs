using System.Linq.Expressions;
using LinqKit;
using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>Another extension that takes part in the compilation of a query stays in effect, as with plain EF Core.</summary>
public sealed class QueryExtensionTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LinqKit_expands_expressions_in_a_query(bool isRouted)
    {
        var options = new DbContextOptionsBuilder<StoreContext>();
        if (isRouted) options.UseTidemark(shared.Source);
        else options.UseNpgsql(shared.Cluster.Primary.ConnectionString);

        // LinqKit decorates what the provider has registered, so it comes after the provider.
        options.WithExpressionExpanding();

        Expression<Func<Item, bool>> isLate = item => item.Id > 8;
        await using var db = new StoreContext(options.Options);
        var query = db.Items.AsNoTracking().Where(item => isLate.Invoke(item) && item.Id < 10);

        (await query.Select(item => item.Id).ToListAsync(Stop)).ShouldBe([9]);
        if (isRouted) query.ExplainRoute().Role.ShouldBe(NodeRole.Replica);
    }
}

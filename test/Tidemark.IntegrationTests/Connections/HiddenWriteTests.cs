using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>
/// Statements that are sent as reads and turn out to write: they run once, on the primary, and are treated as writes from then on.
/// </summary>
public sealed class HiddenWriteTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_that_turned_out_to_write_goes_to_the_primary_the_next_time(bool isAsync)
    {
        await using var source = await shared.ConnectAsync();
        using var counted = new CountedWrites();
        var before = await shared.Cluster.Primary.QueryAsync<long>("SELECT nextval('tickets')");
        var attempts = new List<string>();
        using var listener = Listen(attempts);
        for (var i = 1; i <= 3; i++)
        {
            using var session = source.BeginSession();
            await using var command = source.CreateReadCommand("SELECT nextval('tickets')");
            (isAsync ? await command.ExecuteScalarAsync(Stop) : command.ExecuteScalar()).ShouldBe(before + i);
            session.HasMoved.ShouldBeTrue();
        }

        attempts.Count.ShouldBe(4);
        attempts[0].ShouldNotStartWith("pg-1");
        attempts[1].ShouldContain("a replica could not run the statement");
        attempts[2].ShouldContain("it was sent as a read before, and turned out to write");
        counted.Total.ShouldBe(1);
    }

    [Fact]
    public async Task Known_writing_statements_are_shared_within_one_data_source_only()
    {
        await CreateDrawAsync();
        await using var source = await shared.ConnectAsync();
        using var counted = new CountedWrites();
        await using (var context = new DrawingContext(source))
        {
            var query = context.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id));
            var first = await query.SingleAsync(Stop);
            query.Single().ShouldBe(first + 1);
            query.ExplainRoute().Reason.ShouldNotBe(RouteReason.KnownToWrite, "EF Core adds a LIMIT for Single: that is another text");
        }

        await using (var other = new DrawingContext(source))
        {
            var before = counted.Total;
            _ = await other.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id)).SingleAsync(Stop);
            counted.Total.ShouldBe(before);

            var all = other.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id));
            _ = await all.ToListAsync(Stop);
            all.ExplainRoute().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.KnownToWrite));

            counted.Total.ShouldBe(before + 1);
            await using var same = source.CreateReadCommand(all.ToQueryString());
            await same.ExecuteScalarAsync(Stop);
            counted.Total.ShouldBe(before + 1);
        }

        var known = counted.Total;
        await using var stranger = new DrawingContext(shared.Source);
        _ = await stranger.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id)).SingleAsync(Stop);
        counted.Total.ShouldBe(known + 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_context_query_that_writes_piggybacks_its_position_both_times(bool isAsync)
    {
        await CreateDrawAsync();
        await using var source = await shared.ConnectAsync();
        await using var context = new DrawingContext(source);
        var query = context.Items.Where(i => i.Id <= 3).OrderBy(i => i.Id).Select(i => DrawingContext.Draw(i.Id));
        foreach (var reason in (RouteReason[])[RouteReason.RetriedOnPrimary, RouteReason.KnownToWrite])
        {
            using var session = source.BeginSession();
            var drawn = isAsync ? await query.ToListAsync(Stop) : query.ToList();
            drawn.ShouldBe([drawn[0], drawn[0] + 1, drawn[0] + 2], "nothing is run twice, and every row arrives");
            session.Written.ShouldNotBeNull($"{reason}: the position was piggybacked");
            session.IsUnknown.ShouldBeFalse();
        }
    }

    private async Task CreateDrawAsync()
    {
        await shared.Cluster.Primary.RunAsync(
            "CREATE OR REPLACE FUNCTION draw(i int) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('tickets') $$");
        await shared.Cluster.WaitForReplayAsync(Stop);
    }

    private static ActivityListener Listen(List<string> decisions)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Tidemark",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity => decisions.Add((string)activity.GetTagItem("tidemark.summary")!),
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private sealed class CountedWrites : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _total;

        public CountedWrites()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument is { Meter.Name: "Tidemark", Name: "tidemark.hidden_writes" }) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, measured, _, _) => Interlocked.Add(ref _total, measured));
            _listener.Start();
        }

        public long Total => Interlocked.Read(ref _total);

        public void Dispose() => _listener.Dispose();
    }

    private sealed class DrawingContext(TidemarkDataSource source) : DbContext
    {
        public DbSet<Item> Items => Set<Item>();

        public static long Draw(int id) => throw new NotSupportedException($"Runs in the database only ({id}).");

        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseTidemark(source);

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Item>(item =>
            {
                item.ToTable("items");
                item.Property(i => i.Id).HasColumnName("id");
                item.Property(i => i.Name).HasColumnName("name");
            });
            modelBuilder.HasDbFunction(() => Draw(0)).HasName("draw");
        }
    }
}

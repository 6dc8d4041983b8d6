using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>A request that fails after its write runs the pipeline again for its error page, in the same session.</summary>
public sealed class ErrorPageTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("UseExceptionHandler")]
    [InlineData("UseTidemark before UseExceptionHandler")]
    [InlineData("UseStatusCodePagesWithReExecute")]
    public async Task An_error_page_and_the_next_request_show_what_was_written(string by)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(shared.Source);
        builder.Services.AddDbContext<StoreContext>((provider, db) => db.UseTidemark(provider));
        await using var app = builder.Build();
        var isFirst = by.StartsWith("UseTidemark", StringComparison.Ordinal);
        var isStatus = by == "UseStatusCodePagesWithReExecute";
        if (isFirst) app.UseTidemark();
        if (isStatus) app.UseStatusCodePagesWithReExecute("/error");
        else app.UseExceptionHandler("/error");
        if (!isFirst) app.UseTidemark();
        app.UseRouting();
        app.MapPost("/", async (StoreContext db) =>
        {
            db.Add(new Item { Name = by });
            await db.SaveChangesAsync(Stop);
            if (!isStatus) throw new InvalidOperationException("Failed after the write.");
            return Results.StatusCode(StatusCodes.Status409Conflict);
        });
        app.Map("/error", (StoreContext db) => db.Items.AsNoTracking().CountAsync(i => i.Name == by, Stop));
        app.MapGet("/", (StoreContext db) => db.Items.AsNoTracking().CountAsync(i => i.Name == by, Stop));
        await app.StartAsync(Stop);

        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        using var http = new HttpClient { BaseAddress = new Uri(addresses.Single()) };
        using var failed = await http.PostAsync(new Uri("/", UriKind.Relative), content: null, Stop);
        failed.IsSuccessStatusCode.ShouldBeFalse();
        int.Parse(await failed.Content.ReadAsStringAsync(Stop), CultureInfo.InvariantCulture).ShouldBe(1);
        int.Parse(await http.GetStringAsync(new Uri("/", UriKind.Relative), Stop), CultureInfo.InvariantCulture).ShouldBe(1);
    }
}

using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.EntityFrameworkCore;
using Store;
using Store.Data;
using Store.QueryStrip;
using Tidemark;

// Ctrl-C stops everything, even during the start.
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
{
    signal.Cancel = true;
    stop.Cancel();
});

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.UseLocalAddress();

    // Outside the Development environment, only this call finds the compressed style sheet in the build output.
    builder.WebHost.UseStaticWebAssets();

    // If the configuration names no nodes, the store starts its own cluster. The code below is the same in both cases.
    await using var cluster = await OwnCluster.StartUnlessConfiguredAsync(builder.Configuration, stop.Token);

    builder.Services.AddTidemark(builder.Configuration.GetSection("Tidemark"));
    builder.Services.AddDbContext<StoreContext>((services, db) => db.UseTidemark(services));
    builder.Services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(cookie => cookie.LoginPath = "/signin");
    builder.Services.AddRazorPages(pages => pages.Conventions.AuthorizePage("/Wishlist").AuthorizePage("/Messages"));
    builder.Services.AddRouting(routes => routes.LowercaseUrls = true);
    builder.Services.AddQueryStrip();

    await using var app = builder.Build();
    app.UseExceptionHandler("/error");
    app.UseQueryStrip();
    app.UseTidemark();                      // each user reads their own writes
    app.MapStaticAssets();
    app.MapRazorPages().WithStaticAssets();

    await using (var scope = app.Services.CreateAsyncScope())
        await scope.ServiceProvider.GetRequiredService<StoreContext>().Database.MigrateAsync(stop.Token);

    await app.StartAsync(stop.Token);
    Terminal.Announce(app.Urls, cluster);
    await app.WaitForShutdownAsync(stop.Token);
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    // Ctrl-C during the start.
}

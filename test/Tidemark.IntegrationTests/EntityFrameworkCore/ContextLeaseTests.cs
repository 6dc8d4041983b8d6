using System.Globalization;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>What other libraries execute on the connection of a context belongs to the session that the context reads in.</summary>
public sealed class ContextLeaseTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private static readonly string[] Registrations =
        ["AddDbContext", "AddDbContextPool", "AddDbContextFactory", "AddPooledDbContextFactory"];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Uses
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var registration in Registrations)
                foreach (var session in (string[])["a session", "a context made before its session", "no session"])
                    data.Add(registration, session);
            return data;
        }
    }

    public static TheoryData<string> Contexts => [.. Registrations];

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
    [MemberData(nameof(Uses))]
    public async Task A_write_of_Dapper_on_a_contexts_connection_is_read_back(string registration, string session)
    {
        var services = new ServiceCollection();
        services.AddSingleton(shared.Source);
        await using var provider = Register(services, registration).BuildServiceProvider();

        // The second use of a pooled context finds its connection already created.
        for (var use = 0; use < 3; use++)
        {
            using var scope = provider.CreateScope();
            var name = $"by Dapper, {registration}, {session}, {use}";
            var db = session == "a context made before its session" ? Context(scope, registration) : null;
            if (db is not null) _ = db.Database.GetDbConnection().State;
            using var begun = session == "no session" ? null : shared.Source.BeginSession();
            db ??= Context(scope, registration);
            await db.Database.GetDbConnection().ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
            (await db.Items.AsNoTracking().CountAsync(i => i.Name == name, Stop)).ShouldBe(1);
            begun?.HasMoved.ShouldBeTrue();
            if (registration.EndsWith("Factory", StringComparison.Ordinal)) await db.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("OpenConnection")]
    [InlineData("CreateCommand")]
    [InlineData("OpenConnection before the session")]
    [InlineData("SetDbConnection")]
    [InlineData("UseTransaction")]
    [InlineData("opened beside the session")]
    public async Task A_write_on_a_contexts_connection_is_read_back_no_matter_what_opened_it(string by)
    {
        var name = $"by {by}";
        await using var db = shared.CreateContext();
        if (by == "OpenConnection before the session") await db.Database.OpenConnectionAsync(Stop);
        await using var own = by is "SetDbConnection" or "UseTransaction" ? shared.Source.CreateConnection() : null;
        if (own is not null)
        {
            await own.OpenAsync(Stop);
            db.Database.SetDbConnection(own);
        }

        using var session = shared.Source.BeginSession();
        switch (by)
        {
            case "OpenConnection":
                await db.Database.OpenConnectionAsync(Stop);
                await db.Database.GetDbConnection().ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
                break;
            case "CreateCommand":
                await using (var command = db.Database.GetDbConnection().CreateCommand())
                {
                    command.CommandText = $"INSERT INTO items (name) VALUES ('{name}')";
                    await command.Connection!.OpenAsync(Stop);
                    await command.ExecuteNonQueryAsync(Stop);
                }

                break;
            case "UseTransaction":
                await using (var transaction = await own!.BeginTransactionAsync(Stop))
                {
                    await db.Database.UseTransactionAsync(transaction, Stop);
                    db.Add(new Item { Name = name });
                    await db.SaveChangesAsync(Stop);
                    await transaction.CommitAsync(Stop);
                }

                break;
            case "opened beside the session":
                await db.Database.GetDbConnection().OpenAsync(Stop);
                goto default;
            default:
                db.Add(new Item { Name = name });
                await db.SaveChangesAsync(Stop);
                break;
        }

        session.HasMoved.ShouldBeTrue();
        (await CountAsync(name)).ShouldBe(1);
        await db.DisposeAsync();
        if (own is not null) await own.DisposeAsync();
        (await CountAsync(name)).ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Contexts))]
    public async Task A_write_of_Dapper_in_a_request_is_read_back_by_the_next_request(string registration)
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(shared.Source);
        Register(builder.Services, registration);
        await using var app = builder.Build();
        app.UseTidemark();
        app.MapPost("/", async (HttpContext http, string name) =>
        {
            var db = Context(http.RequestServices.CreateScope(), registration);
            await db.Database.GetDbConnection().ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
            await db.DisposeAsync();
            return Results.Ok();
        });
        app.MapGet("/", async (HttpContext http, string name) =>
        {
            await using var db = Context(http.RequestServices.CreateScope(), registration);
            return await db.Items.AsNoTracking().CountAsync(i => i.Name == name, Stop);
        });
        await app.StartAsync(Stop);

        var address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        for (var i = 0; i < 3; i++)
        {
            using var http = new HttpClient { BaseAddress = address };
            var path = new Uri($"/?name={registration}{i}", UriKind.Relative);
            using var posted = await http.PostAsync(path, content: null, Stop);
            posted.EnsureSuccessStatusCode();
            posted.Headers.Contains("Set-Cookie").ShouldBeTrue();
            for (var read = 0; read < 5; read++)
                int.Parse(await http.GetStringAsync(path, Stop), CultureInfo.InvariantCulture).ShouldBe(1);
        }
    }

    private async Task<long> CountAsync(string name) =>
        (await shared.Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value;

    private static IServiceCollection Register(IServiceCollection services, string registration) => registration switch
    {
        "AddDbContext" => services.AddDbContext<StoreContext>((provider, db) => db.UseTidemark(provider)),
        "AddDbContextPool" => services.AddDbContextPool<StoreContext>((provider, db) => db.UseTidemark(provider)),
        "AddDbContextFactory" => services.AddDbContextFactory<StoreContext>((provider, db) => db.UseTidemark(provider)),
        _ => services.AddPooledDbContextFactory<StoreContext>((provider, db) => db.UseTidemark(provider)),
    };

    private static StoreContext Context(IServiceScope scope, string registration) =>
        registration.EndsWith("Factory", StringComparison.Ordinal)
        ? scope.ServiceProvider.GetRequiredService<IDbContextFactory<StoreContext>>().CreateDbContext()
        : scope.ServiceProvider.GetRequiredService<StoreContext>();
}

using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>Requests that write while their cookie cannot be read or written. The response still reports what is committed.</summary>
public sealed class CookieFailureTests(OneServer shared) : IClassFixture<OneServer>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_key_ring_that_cannot_be_read_costs_neither_the_response_nor_the_write(bool isBroken, bool doesLogThrow)
    {
        using var log = new RecordedLog();
        using var throwing = new ThrowingLog();
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ILoggerFactory>(doesLogThrow ? throwing : log);
        builder.Services.AddTidemark(options => options.AddNode("pg-1", shared.Cluster.Primary.ConnectionString));
        builder.Services.AddDbContext<StoreContext>((services, db) => db.UseTidemark(services));
        if (isBroken) builder.Services.AddSingleton<IDataProtectionProvider>(new BrokenKeys());
        await using var app = builder.Build();
        app.UseTidemark();
        app.MapPost("/", async (StoreContext db) =>
        {
            db.Add(new Item { Name = "in a request" });
            await db.SaveChangesAsync(Stop);
            return Results.Ok();
        });
        await app.StartAsync(Stop);

        using var http =
            new HttpClient { BaseAddress =
            new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()) };
        http.DefaultRequestHeaders.Add("Cookie", ".Tidemark.forged=forged");
        using var answer = await http.PostAsync(new Uri("/", UriKind.Relative), content: null, Stop);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var cookies = answer.Headers.GetValues("Set-Cookie").ToList();
        if (isBroken)
        {
            // The overflow cookie requires no key, and sends the browser's reads to the primary.
            cookies.ShouldHaveSingleItem().ShouldStartWith(".Tidemark.all.1=1;");
        }
        else
        {
            cookies.Count.ShouldBe(2);
            cookies.ShouldContain(c => c.StartsWith(".Tidemark.forged=; expires=Thu, 01 Jan 1970", StringComparison.Ordinal));
        }

        cookies.ShouldAllBe(c => c.Contains("httponly", StringComparison.Ordinal) && c.Contains("samesite=lax", StringComparison.Ordinal));
        if (doesLogThrow) return;
        log.Entries.ShouldContain(e => e.Event == "CookieRejected");
        log.Entries.Any(e => e.Event == "CookieNotWritten").ShouldBe(isBroken);
    }

    private sealed class BrokenKeys : IDataProtectionProvider, IDataProtector
    {
        public IDataProtector CreateProtector(string purpose) => this;

        public byte[] Protect(byte[] plaintext) => throw new CryptographicException("no keys");

        public byte[] Unprotect(byte[] protectedData) => throw new CryptographicException("no keys");
    }

    /// <summary>A log provider that fails whenever Tidemark logs. The messages of the host are not under test.</summary>
    private sealed class ThrowingLog : ILoggerFactory, ILogger
    {
        private bool _throws;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) =>
            new ThrowingLog { _throws = categoryName.StartsWith("Tidemark", StringComparison.Ordinal) };

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => _throws;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter)
        {
            if (_throws) throw new IOException("the disk is full");
        }

        public void Dispose()
        {
        }
    }
}

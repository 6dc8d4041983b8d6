using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// One browser whose requests run in parallel. Its next request includes what earlier responses wrote, in whatever order they arrived.
/// </summary>
public sealed class CookieOrderTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = [];
    private readonly CookieContainer _jar = new();
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddTidemark(options =>
        {
            foreach (var node in shared.Cluster.Nodes) options.AddNode(node.Name, node.ConnectionString);
        });
        _app = builder.Build();
        _app.UseTidemark();
        _app.MapPost("/{name}", async (string name, TidemarkDataSource source) =>
        {
            await using (var command =
                source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}')")) await command.ExecuteNonQueryAsync(Stop);
            if (_gates.TryGetValue(name, out var gate)) await gate.Task;
            return Results.Ok();
        });
        _app.MapGet("/{name}", async (string name, TidemarkDataSource source) =>
        {
            await using var command = source.CreateReadCommand($"SELECT count(*) FROM items WHERE name = '{name}'");
            return Results.Text($"{await command.ExecuteScalarAsync(Stop)}");
        });
        await _app.StartAsync(Stop);
#pragma warning disable CA2000 // The client disposes of its handler.
        _http = new HttpClient(new SocketsHttpHandler { CookieContainer = _jar })
#pragma warning restore CA2000
        {
            BaseAddress = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()),
        };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        foreach (var node in shared.Cluster.Replicas) await node.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_slow_response_does_not_hide_the_write_of_a_quick_one()
    {
        _gates["slow"] = new TaskCompletionSource();
        var slow = PostAsync("slow");
        await UntilWrittenAsync("slow");
        await PauseAfterReplayAsync();
        await PostAsync("quick");
        _gates["slow"].SetResult();
        await slow;

        (await GetAsync("quick")).ShouldBe("1");
        (await GetAsync("slow")).ShouldBe("1");
        _jar.Count.ShouldBe(1, "the page after both has one cookie");
        (await GetAsync("quick")).ShouldBe("1");
    }

    [Fact]
    public async Task No_response_of_six_parallel_requests_hides_the_write_of_another()
    {
        string[] names = [.. Enumerable.Range(1, 6).Select(i => $"parallel {i}")];
        foreach (var name in names) _gates[name] = new TaskCompletionSource();
        var posts = new Dictionary<string, Task>();
        foreach (var name in names)
        {
            // Each write has its own WAL position, and a replica has all but the last.
            if (name == names[^1]) await PauseAfterReplayAsync();
            posts[name] = PostAsync(name);
            await UntilWrittenAsync(name);
        }

        // The latest write arrives first.
        foreach (var name in names.Reverse())
        {
            _gates[name].SetResult();
            await posts[name];
        }

        _jar.Count.ShouldBe(6);
        (await GetAsync(names[^1])).ShouldBe("1");
        _jar.Count.ShouldBe(1);
        await PostAsync("afterwards");
        _jar.Count.ShouldBe(1);
        (await GetAsync(names[^1])).ShouldBe("1");
    }

    [Fact]
    public async Task Forty_parallel_responses_leave_few_cookies_and_hide_nothing()
    {
        string[] names = [.. Enumerable.Range(1, 40).Select(i => $"burst {i}")];
        foreach (var name in names) _gates[name] = new TaskCompletionSource();

        // The other cookie in the jar distinguishes this browser from others.
        _jar.Add(_http.BaseAddress!, new Cookie("signed-in", "42"));
        var posts = names.ToDictionary(name => name, PostAsync);
        foreach (var name in names) await UntilWrittenAsync(name);
        await PauseAfterReplayAsync();
        await shared.Cluster.Primary.RunAsync("UPDATE items SET name = name || ' and on' WHERE name LIKE 'burst%'");
        foreach (var gate in _gates.Values) gate.TrySetResult();
        await Task.WhenAll(posts.Values);

        _jar.Count.ShouldBe(1 + CookieSlots.MostPerJar + 1);
        _jar.GetCookies(_http.BaseAddress!).ShouldContain(c => CookieSlots.IsOverflow(c.Name));
        (await GetAsync("burst 1 and on")).ShouldBe("1", "unknown is never fresh");
        (await GetAsync("burst 40 and on")).ShouldBe("1");
        _jar.Count.ShouldBeLessThanOrEqualTo(1 + CookieSlots.MostPerJar + 1);
    }

    [Fact]
    public async Task A_damaged_slot_is_replaced_and_the_request_reads_from_the_primary()
    {
        await PauseAfterReplayAsync();
        await shared.Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('by another')");
        _jar.Add(_http.BaseAddress!, new Cookie(".Tidemark.damaged", "forged") { Path = "/" });

        (await GetAsync("by another")).ShouldBe("1", "the position in the slot is unknown");
        var left = _jar.GetCookies(_http.BaseAddress!).ShouldHaveSingleItem();
        left.Name.ShouldNotBe(".Tidemark.damaged");
        (left.HttpOnly, left.Secure).ShouldBe((true, false));
        (await GetAsync("by another")).ShouldBe("1");
        _jar.GetCookies(_http.BaseAddress!).ShouldHaveSingleItem().Name.ShouldBe(left.Name, "the browser has not written since");
    }

    private async Task PostAsync(string name)
    {
        using var answer = await _http.PostAsync(new Uri($"/{Uri.EscapeDataString(name)}", UriKind.Relative), content: null, Stop);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private Task<string> GetAsync(string name) => _http.GetStringAsync(new Uri($"/{Uri.EscapeDataString(name)}", UriKind.Relative), Stop);

    private async Task UntilWrittenAsync(string name)
    {
        while (await shared.Cluster.Primary.QueryAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'") == 0)
            await Task.Delay(5, Stop);
    }

    private async Task PauseAfterReplayAsync()
    {
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var node in shared.Cluster.Replicas) await node.PauseReplayAsync(Stop);
    }
}

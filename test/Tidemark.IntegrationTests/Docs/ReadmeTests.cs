using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>The README's code compiles, matches the README, and does what the README states.</summary>
public sealed class ReadmeTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_code_in_the_README_is_the_code_that_is_compiled_here()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"), Stop);
        var example =
            await File.ReadAllTextAsync(Path.Combine(Root(), "test", "Tidemark.IntegrationTests", "Docs", "ReadmeExample.cs"), Stop);
        var shown = Between(readme, "```csharp\n", "```");
        var compiled = Between(example, "// README\n", "        // end").Split('\n')
            .Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line);
        shown.ShouldBe(string.Join('\n', compiled));
    }

    [Fact]
    public async Task The_settings_in_the_README_are_read_without_an_error()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Root(), "README.md"), Stop);
        using var json = new MemoryStream(Encoding.UTF8.GetBytes(Between(readme, "```json\n", "```")));
        var options = new TidemarkOptions();
        TidemarkOptionsReader.Read(new ConfigurationBuilder().AddJsonStream(json).Build().GetSection("Tidemark"), options);
        options.Nodes.Keys.ShouldBe(["pg-1", "pg-2", "pg-3"]);
        options.Nodes["pg-3"].Weight.ShouldBe(2);
    }

    [Fact]
    public async Task The_README_s_application_shows_a_wish_right_after_the_redirect()
    {
        var nodes = shared.Cluster.Nodes.Select(n => $"--Tidemark:Nodes:{n.Name}={n.ConnectionString}");
        await using var app = ReadmeExample.Build(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None", .. nodes]);
        await app.StartAsync(Stop);
        await using (var scope = app.Services.CreateAsyncScope())
        {
            // The database exists, so only the tables are missing.
            var context = scope.ServiceProvider.GetRequiredService<WishlistContext>();
            await context.Database.ExecuteSqlRawAsync(context.Database.GenerateCreateScript(), Stop);
        }

        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        using var client =
            new HttpClient { BaseAddress =
            new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()) };
        using var answer = await client.PostAsJsonAsync("/wishlist", new Wish { What = "a lighthouse" }, Stop);
        answer.EnsureSuccessStatusCode();
        (await answer.Content.ReadFromJsonAsync<Wish[]>(Stop))!.Single().What.ShouldBe("a lighthouse");
        (await client.GetStringAsync("/count", Stop)).ShouldBe("1");

        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);

        // The explanation does no I/O. It uses the last probes, which arrive within one probe interval.
        while (!(await client.GetStringAsync("/why", Stop))
            .Contains("pg-1  is the primary, which serves reads only when no replica can", StringComparison.Ordinal))
            await Task.Delay(10, Stop);
        await app.StopAsync(Stop);
    }

    private static string Between(string text, string start, string end)
    {
        var from = text.IndexOf(start, StringComparison.Ordinal) + start.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}

using System.Net;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.Mvc.Testing.Handlers;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Store.Data;
using Tidemark.Testing;

namespace Store;

/// <summary>The store in the test process, on the given nodes. A test can replace its services.</summary>
internal sealed class StoreApplication(IEnumerable<LocalNode> nodes,
    Action<IServiceCollection>? replace = null) : WebApplicationFactory<StoreContext>
{
    /// <summary>Opens a browser of its own, with no user signed in.</summary>
    public Visitor Visit(bool refusesSession = false)
    {
        var cookies = new CookieContainer();
        return new Visitor(CreateDefaultClient(new CookieContainerHandler(cookies)), cookies) { RefusesSession = refusesSession };
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        foreach (var node in nodes) builder.UseSetting($"Tidemark:Nodes:{node.Name}", node.ConnectionString);
        builder.UseSetting("Logging:LogLevel:Tidemark", "Warning");
        builder.ConfigureTestServices(services => replace?.Invoke(services));
    }
}

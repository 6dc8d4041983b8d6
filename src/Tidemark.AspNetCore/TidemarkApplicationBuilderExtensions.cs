using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Tidemark;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Extension methods that add Tidemark to an application's pipeline.</summary>
public static class TidemarkApplicationBuilderExtensions
{
    /// <summary>
    /// Runs each request in a <see cref="ConsistencySession"/>, and carries what it wrote to the same browser's next request in a small
    /// cookie. A redirect after a write therefore always shows the write. Requests that neither write nor learn anything about an earlier
    /// write do not set a cookie. Call this before everything that uses the database, including authentication.
    /// </summary>
    /// <exception cref="InvalidOperationException">No <see cref="TidemarkDataSource"/> is registered.</exception>
    public static IApplicationBuilder UseTidemark(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<TidemarkDataSource>() is null)
            throw new InvalidOperationException(
                "UseTidemark requires a TidemarkDataSource, but none is registered. Call services.AddTidemark(…) as well.");
        return app.UseMiddleware<SessionMiddleware>(Protection(app.ApplicationServices));
    }

    // Pages, sign-in and antiforgery register Data Protection. An application without any of these keeps its keys in the default location.
    private static IDataProtectionProvider Protection(IServiceProvider services) =>
        services.GetService<IDataProtectionProvider>()
        ?? DataProtectionProvider.Create(services.GetRequiredService<IHostEnvironment>().ApplicationName);
}

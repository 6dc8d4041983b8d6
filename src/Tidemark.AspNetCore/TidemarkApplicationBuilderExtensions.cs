using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Tidemark;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts Tidemark into an application's pipeline.</summary>
public static class TidemarkApplicationBuilderExtensions
{
    /// <summary>
    /// Surrounds each request with a <see cref="ConsistencySession"/>, and carries what it wrote to the same browser's next request in a
    /// small
    /// cookie, so that a redirect after a write always shows the write. Requests that write nothing, and learn nothing of what an earlier
    /// one wrote, set no cookie. Place it before everything
    /// that uses the database, authentication included.
    /// </summary>
    /// <exception cref="InvalidOperationException">No <see cref="TidemarkDataSource"/> is registered.</exception>
    public static IApplicationBuilder UseTidemark(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<TidemarkDataSource>() is null)
            throw new InvalidOperationException(
                "UseTidemark found no TidemarkDataSource among the services. Call services.AddTidemark(…) as well.");
        return app.UseMiddleware<SessionMiddleware>(Protection(app.ApplicationServices));
    }

    // Pages, sign-in and antiforgery register Data Protection. An application without any of these keeps its keys where it would by
    // default.
    private static IDataProtectionProvider Protection(IServiceProvider services) =>
        services.GetService<IDataProtectionProvider>()
        ?? DataProtectionProvider.Create(services.GetRequiredService<IHostEnvironment>().ApplicationName);
}

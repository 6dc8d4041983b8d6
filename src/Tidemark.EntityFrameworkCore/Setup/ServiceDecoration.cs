using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>Wraps services of EF Core, so that what another extension registered stays in effect.</summary>
internal static class ServiceDecoration
{
    /// <summary>
    /// Replaces the registered implementation by a decorator of it. Registers types rather than factories, because other extensions
    /// decorate in the same way, and skip what has no implementation type.
    /// </summary>
    /// <param name="services">EF Core's internal services.</param>
    /// <param name="service">The service.</param>
    /// <param name="decorator">An open generic type, whose argument is the decorated implementation and a constructor parameter.</param>
    public static IServiceCollection Decorate(this IServiceCollection services, Type service, Type decorator)
    {
        for (var i = services.Count - 1; i >= 0; i--)
        {
            var found = services[i];
            if (found.ServiceType != service || found.ImplementationType is not { } inner) continue;
            services[i] = new ServiceDescriptor(service, decorator.MakeGenericType(inner), found.Lifetime);
            services.Add(new ServiceDescriptor(inner, inner, found.Lifetime));
            return services;
        }

        throw new InvalidOperationException(
            $"{service.Name} is not registered, so Tidemark cannot add to it. Call UseTidemark after extensions that replace it.");
    }
}

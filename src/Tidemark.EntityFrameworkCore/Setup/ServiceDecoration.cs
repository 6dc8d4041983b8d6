using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>
/// Replaces services of EF Core, and wraps those that other extensions wrap too, so that what they registered stays in effect.
/// </summary>
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

        throw NotRegistered(service);
    }

    /// <summary>Replaces the registered implementation, and keeps its lifetime.</summary>
    public static IServiceCollection Put<TService, TImplementation>(this IServiceCollection services)
        where TImplementation : TService
    {
        for (var i = services.Count - 1; i >= 0; i--)
        {
            if (services[i].ServiceType != typeof(TService)) continue;
            services[i] = new ServiceDescriptor(typeof(TService), typeof(TImplementation), services[i].Lifetime);
            return services;
        }

        throw NotRegistered(typeof(TService));
    }

    private static InvalidOperationException NotRegistered(Type service) => new(
        $"{service.Name} is not registered, so Tidemark cannot add to it. Call AddEntityFrameworkNpgsql before AddEntityFrameworkTidemark, "
            + "and UseTidemark after extensions that replace this service.");
}

using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Tidemark;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Extension methods that add the services of routed contexts to an internal service provider.</summary>
public static class TidemarkEntityFrameworkServiceCollectionExtensions
{
    /// <summary>
    /// Adds the services that EF Core needs for contexts with <c>UseTidemark</c>. Required only if the application builds EF Core's
    /// internal service provider itself (<c>UseInternalServiceProvider</c>). Call it once, after <c>AddEntityFrameworkNpgsql</c>.
    /// </summary>
    /// <param name="services">The services of the internal provider.</param>
    /// <exception cref="InvalidOperationException">The services of the Npgsql provider have not been added.</exception>
    public static IServiceCollection AddEntityFrameworkTidemark(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);

        // Npgsql's own execution strategy wraps transient failures in advice to retry. That would hide which node was requested and why no
        // node could serve.
        return services
            .Put<IRelationalCommandBuilderFactory, RoutedCommandBuilderFactory>()
            .Put<IRelationalTransactionFactory, RoutedTransactionFactory>()
            .Put<IModificationCommandBatchFactory, SavedBatchFactory>()
            .Put<IAsyncQueryProvider, RoutedQueryProvider>()
            .Put<IExecutionStrategyFactory, RelationalExecutionStrategyFactory>()
            .Decorate(typeof(IQueryTranslationPreprocessorFactory), typeof(RouteMarkerFactory<>))
            .Decorate(typeof(IBatchExecutor), typeof(SaveExecutor<>))
            .AddSingleton<RoutedServices>()
            .AddScoped<OptionalRouting>()
            .AddScoped<IResettableService>(provider => provider.GetRequiredService<OptionalRouting>());
    }
}

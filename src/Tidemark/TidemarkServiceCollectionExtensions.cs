using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Npgsql;
using Tidemark;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Extension methods that register a cluster with an application.</summary>
public static class TidemarkServiceCollectionExtensions
{
    /// <summary>
    /// Registers a <see cref="TidemarkDataSource"/> with settings from configuration. <c>Nodes</c> lists the nodes by name, each as a
    /// connection string or an object. Alternatively, <c>ConnectionString</c> is one string that names all hosts. Invalid settings stop the
    /// application at start-up, with all errors reported at once.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configuration">
    /// The section, usually <c>Tidemark</c>. It includes environment variables such as <c>Tidemark__Nodes__pg-1</c>.
    /// </param>
    /// <param name="configureNodes">Applied to the Npgsql data sources of every node: types, plugins, passwords, TLS.</param>
    public static IServiceCollection AddTidemark(
        this IServiceCollection services, IConfiguration configuration, Action<NpgsqlDataSourceBuilder>? configureNodes = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return Add(services, options => TidemarkOptionsReader.Read(configuration, options), configureNodes)
            .AddSingleton<IOptionsChangeTokenSource<TidemarkOptions>>(new ConfigurationChanges(configuration));
    }

    /// <summary>Registers a <see cref="TidemarkDataSource"/> with settings from code.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Adds the nodes and sets the options.</param>
    /// <param name="configureNodes">Applied to the Npgsql data sources of every node: types, plugins, passwords, TLS.</param>
    public static IServiceCollection AddTidemark(
        this IServiceCollection services, Action<TidemarkOptions> configure, Action<NpgsqlDataSourceBuilder>? configureNodes = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Add(services, configure, configureNodes);
    }

    /// <summary>Registers a <see cref="TidemarkDataSource"/> with one connection string. Each host in the string becomes a node.</summary>
    public static IServiceCollection AddTidemark(this IServiceCollection services, string connectionString) =>
        Add(services, options => options.AddNodes(connectionString), configureNodes: null);

    private static IServiceCollection Add(
        IServiceCollection services, Action<TidemarkOptions> configure, Action<NpgsqlDataSourceBuilder>? configureNodes)
    {
        if (services.Any(s => s.ServiceType == typeof(TidemarkDataSource)))
            throw new InvalidOperationException(
                "AddTidemark has already been called on these services. An application has one cluster: add all nodes in one call.");
        services.AddOptions<TidemarkOptions>().Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TidemarkOptions>, TidemarkOptionsValidator>());
        services.AddSingleton<OptionsReload>();
        services.AddSingleton(provider =>
        {
            var builder = new TidemarkDataSourceBuilder(provider.GetRequiredService<IOptions<TidemarkOptions>>().Value)
            {
                LoggerFactory = provider.GetService<ILoggerFactory>(),
                TimeProvider = provider.GetService<TimeProvider>() ?? TimeProvider.System,
            };
            if (configureNodes is not null) builder.ConfigureNodes(configureNodes);
            var source = builder.Build();
            provider.GetRequiredService<OptionsReload>().Follow(source);
            return source;
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, StartUp>());
        return services;
    }

    /// <summary>Reports that the configuration was reloaded.</summary>
    private sealed class ConfigurationChanges(IConfiguration configuration) : IOptionsChangeTokenSource<TidemarkOptions>
    {
        public string Name => Options.Options.DefaultName;

        public IChangeToken GetChangeToken() => configuration.GetReloadToken();
    }

    /// <summary>
    /// Builds the data source when the application starts. Invalid settings then stop the application, and every node has been probed
    /// before the first request.
    /// </summary>
    private sealed class StartUp(TidemarkDataSource source) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => source.Cluster.Monitor.FirstRoundAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

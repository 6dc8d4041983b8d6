using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Npgsql;
using Tidemark;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers a cluster with an application.</summary>
public static class TidemarkServiceCollectionExtensions
{
    /// <summary>
    /// Registers a <see cref="TidemarkDataSource"/> on settings from configuration: <c>Nodes</c> by name, each a connection string or an
    /// object, or
    /// <c>ConnectionString</c> for one string that names all hosts. Wrong settings stop the application at start-up, all at once.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configuration">
    /// The section, usually <c>Tidemark</c>; environment variables such as <c>Tidemark__Nodes__pg-1</c> are part of it.
    /// </param>
    /// <param name="configureNodes">Applied to the Npgsql data sources of every node: types, plugins, passwords, TLS.</param>
    public static IServiceCollection AddTidemark(
        this IServiceCollection services, IConfiguration configuration, Action<NpgsqlDataSourceBuilder>? configureNodes = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return Add(services, options => TidemarkOptionsReader.Read(configuration, options), configureNodes)
            .AddSingleton<IOptionsChangeTokenSource<TidemarkOptions>>(new ConfigurationChanges(configuration));
    }

    /// <summary>Registers a <see cref="TidemarkDataSource"/> on settings from code.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Names the nodes and sets what else there is to set.</param>
    /// <param name="configureNodes">Applied to the Npgsql data sources of every node: types, plugins, passwords, TLS.</param>
    public static IServiceCollection AddTidemark(
        this IServiceCollection services, Action<TidemarkOptions> configure, Action<NpgsqlDataSourceBuilder>? configureNodes = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Add(services, configure, configureNodes);
    }

    /// <summary>Registers a <see cref="TidemarkDataSource"/> on one connection string; several hosts in it are several nodes.</summary>
    public static IServiceCollection AddTidemark(this IServiceCollection services, string connectionString) =>
        Add(services, options => options.AddNodes(connectionString), configureNodes: null);

    private static IServiceCollection Add(
        IServiceCollection services, Action<TidemarkOptions> configure, Action<NpgsqlDataSourceBuilder>? configureNodes)
    {
        if (services.Any(s => s.ServiceType == typeof(TidemarkDataSource)))
            throw new InvalidOperationException(
                "AddTidemark was called before on these services, and an application has one cluster. Name all nodes in one call.");
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
    /// Builds the data source as the application starts: wrong settings stop it there, and the first request finds the nodes known.
    /// </summary>
    private sealed class StartUp(TidemarkDataSource source) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => source.Cluster.Monitor.FirstRoundAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

#pragma warning disable EF1001 // Only Npgsql's own options show whether the context's connection is still the cluster's.

namespace Tidemark;

/// <summary>Carries the cluster in the options of a context, and adds the context's routing state to EF Core's services.</summary>
/// <param name="source">The cluster.</param>
/// <param name="access">Creates what the commands of a context reach the nodes with.</param>
/// <param name="addServices">Adds the services of a routed context, among them <see cref="RoutedServices"/>.</param>
/// <param name="connection">A connection that may stand in for the cluster's own; <see langword="null"/> for none.</param>
internal sealed class TidemarkOptionsExtension(
    TidemarkDataSource source, Func<ContextState, RelationalConnectionDependencies, ILoggerFactory, INodeAccess> access,
    Action<IServiceCollection> addServices, NpgsqlConnection? connection) : IDbContextOptionsExtension
{
    private ExtensionInfo? _info;

    public TidemarkDataSource Source => source;

    /// <summary>Creates what the commands of a context reach the nodes with.</summary>
    public Func<ContextState, RelationalConnectionDependencies, ILoggerFactory, INodeAccess> Access => access;

    public DbContextOptionsExtensionInfo Info => _info ??= new ExtensionInfo(this);

    /// <summary>Returns whether the options already name this cluster, and rejects options that contradict it.</summary>
    /// <exception cref="InvalidOperationException">The options name another cluster, database or provider.</exception>
    public static bool IsInUse(DbContextOptions options, TidemarkDataSource source)
    {
        var known = options.FindExtension<TidemarkOptionsExtension>();
        if (known is not null && known.Source != source)
            throw new InvalidOperationException(
                $"UseTidemark was called twice for {ContextOf(options)} with different data sources "
                    + $"({known.Source.Describe()} and {source.Describe()}). A context belongs to one cluster. Remove one call, or use a "
                    + "separate context type for each cluster. OnConfiguring runs after AddDbContext.");

        foreach (var other in options.Extensions)
        {
            if (other.Info.IsDatabaseProvider && other is not NpgsqlOptionsExtension)
                throw new InvalidOperationException(
                    $"UseTidemark was called for {ContextOf(options)}, which already uses another database provider "
                        + $"({other.GetType().Name}). Tidemark requires the Npgsql provider and configures it itself. Remove the other "
                        + "provider.");
        }

        if (options.FindExtension<NpgsqlOptionsExtension>() is not { } npgsql) return known is not null;
        if (npgsql.Connection is not null)
            throw new InvalidOperationException(
                $"UseNpgsql configured {ContextOf(options)} with its own connection, which bypasses the cluster that UseTidemark names. "
                    + "Remove UseNpgsql, and pass its options to UseTidemark.");
        var database = npgsql.ConnectionString is { } text ? new NpgsqlConnectionStringBuilder(text).Database : null;
        if (database is not null && database != source.Database)
            throw new InvalidOperationException(
                $"UseNpgsql configured {ContextOf(options)} for the database '{database}', but UseTidemark for '{source.Database}'. "
                    + "UseTidemark replaces UseNpgsql. Remove UseNpgsql, and pass its options to UseTidemark.");
        return known is not null;
    }

    /// <summary>
    /// Returns what the options of a context say, after checking that the main connection leads to the cluster. Returns
    /// <see langword="null"/> if the context does not use Tidemark.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// <c>UseNpgsql</c> was called after <c>UseTidemark</c> and directs the main connection elsewhere.
    /// </exception>
    public static TidemarkOptionsExtension? CheckedOf(IDbContextOptions options)
    {
        var own = options.FindExtension<TidemarkOptionsExtension>();
        var npgsql = options.FindExtension<NpgsqlOptionsExtension>();
        if (npgsql is null || own is null || own.IsReached(npgsql)) return own;
        throw new InvalidOperationException(
            $"UseNpgsql was called after UseTidemark for {ContextOf(options)} and configured its own connection. Writes would bypass the "
                + $"cluster, and reads would not wait for them. UseTidemark ('{own.Source.Database}') replaces UseNpgsql. Remove "
                + "UseNpgsql, and pass its options to UseTidemark.");
    }

    public void ApplyServices(IServiceCollection services) => addServices(services);

    /// <exception cref="InvalidOperationException">The application's own internal services lack those of Tidemark.</exception>
    public void Validate(IDbContextOptions options)
    {
        var own = options.FindExtension<CoreOptionsExtension>()?.InternalServiceProvider;
        if (own is not null && own.GetService<RoutedServices>() is null)
            throw new InvalidOperationException(
                $"{ContextOf(options)} has an internal service provider (UseInternalServiceProvider) without the services of UseTidemark. "
                    + "Its queries would not be routed. Call services.AddEntityFrameworkNpgsql().AddEntityFrameworkTidemark() for that "
                    + "provider.");
    }

    private bool IsReached(NpgsqlOptionsExtension npgsql) =>
        (ReferenceEquals(npgsql.DataSource, source) && npgsql.Connection is null)
        || (connection is not null && ReferenceEquals(npgsql.Connection, connection));

    private static string ContextOf(IDbContextOptions options) => (options as DbContextOptions)?.ContextType.Name ?? "a context";

    private sealed class ExtensionInfo(TidemarkOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using Tidemark ";

        // The services do not depend on the cluster, so all contexts share one set.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["Tidemark"] = "1";
    }
}

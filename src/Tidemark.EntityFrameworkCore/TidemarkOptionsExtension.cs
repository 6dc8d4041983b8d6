using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>Carries the cluster in the options of a context, and adds the context's own routing state to EF Core's services.</summary>
internal sealed class TidemarkOptionsExtension(TidemarkDataSource source) : IDbContextOptionsExtension
{
    private ExtensionInfo? _info;

    public TidemarkDataSource Source => source;

    public DbContextOptionsExtensionInfo Info => _info ??= new ExtensionInfo(this);

    public void ApplyServices(IServiceCollection services) => services
        .AddScoped<ContextRouting>()
        .AddScoped<IResettableService>(provider => provider.GetRequiredService<ContextRouting>());

    public void Validate(IDbContextOptions options)
    {
    }

    private sealed class ExtensionInfo(TidemarkOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using Tidemark ";

        // The services do not depend on the cluster, so all contexts share one set of them.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["Tidemark"] = "1";
    }
}

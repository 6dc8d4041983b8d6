using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// The routing of one context, or none: contexts with and without <c>UseTidemark</c> may share an internal service provider that the
/// application has built itself.
/// </summary>
internal sealed class OptionalRouting(IDbContextOptions options, RelationalConnectionDependencies dependencies, ILoggerFactory logs)
    : IResettableService, IDisposable, IAsyncDisposable
{
    /// <summary>The routing, or <see langword="null"/> if the context does not use Tidemark.</summary>
    public ContextRouting? Routing { get; } =
        TidemarkOptionsExtension.CheckedOf(options) is { } own ? new ContextRouting(own, dependencies, logs) : null;

    /// <summary>Returns the routing of a context, or <see langword="null"/> if the context does not use Tidemark.</summary>
    public static ContextRouting? Of(DbContext? context) =>
        context is null ? null : Of((IInfrastructure<IServiceProvider>)context);

    /// <inheritdoc cref="Of(DbContext)"/>
    public static ContextRouting? Of(IInfrastructure<IServiceProvider> services) =>
        (services.Instance.GetService(typeof(OptionalRouting)) as OptionalRouting)?.Routing;

    public void ResetState() => Routing?.ResetState();

    public Task ResetStateAsync(CancellationToken cancellationToken = default) =>
        Routing?.ResetStateAsync(cancellationToken) ?? Task.CompletedTask;

    public void Dispose() => Routing?.Dispose();

    public ValueTask DisposeAsync() => Routing?.DisposeAsync() ?? ValueTask.CompletedTask;
}

using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Tidemark;

/// <summary>
/// Applies changed options to a running data source. Options that are invalid after a change are logged, and the previous ones stay in
/// effect: a typing error in a file must not stop an application that runs.
/// </summary>
/// <param name="factory">Runs every configuration step, such as <c>Configure</c> and <c>PostConfigure</c>, and the validation.</param>
/// <param name="changes">Report that a source of options has changed.</param>
internal sealed class OptionsReload(
    IOptionsFactory<TidemarkOptions> factory, IEnumerable<IOptionsChangeTokenSource<TidemarkOptions>> changes) : IDisposable
{
    private readonly List<IDisposable> _registrations = [];

    public void Follow(TidemarkDataSource source)
    {
        foreach (var change in changes.Where(c => c.Name is null || c.Name == Options.DefaultName))
            _registrations.Add(ChangeToken.OnChange(change.GetChangeToken, () => Apply(source)));
    }

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
    }

    private void Apply(TidemarkDataSource source)
    {
        try
        {
            source.Reload(factory.Create(Options.DefaultName));
        }
        catch (OptionsValidationException e)
        {
            Log.ReloadRejected(source.Cluster.Logger, string.Join(' ', e.Failures));
        }
#pragma warning disable CA1031 // A configuration step of the application may throw anything. It runs in the thread of a file watcher.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.ReloadRejected(source.Cluster.Logger, e.Message);
        }
    }
}

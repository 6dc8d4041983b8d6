using System.Diagnostics.CodeAnalysis;

namespace Tidemark;

/// <summary>
/// A scope that surrounds the caller and has a value. Scopes form a chain from the innermost to the outermost. A scope that ends is removed
/// from the chain wherever it is, so that scopes may end in any order.
/// </summary>
/// <remarks>
/// Each flow of execution has its own chain. The end of a scope removes only this scope, and only from the flow that ends it. In other
/// flows, such as one that was started within the scope, <see cref="HasEnded"/> shows the end.
/// </remarks>
internal sealed class FlowScope<T> : IDisposable
    where T : class
{
    private readonly AsyncLocal<FlowScope<T>?> _flow;
    private readonly FlowScope<T>? _original;
    private volatile bool _hasEnded;

    private FlowScope(AsyncLocal<FlowScope<T>?> flow, T value, FlowScope<T>? outer, FlowScope<T>? original) =>
        (_flow, Value, Outer, _original) = (flow, value, outer, original);

    public T Value { get; }

    /// <summary>The scope around this one, or <see langword="null"/>.</summary>
    public FlowScope<T>? Outer { get; }

    public bool HasEnded => Original._hasEnded;

    // The end of a scope copies the scopes inside it, because other flows share them.
    private FlowScope<T> Original => _original ?? this;

    /// <summary>Begins a scope inside the current one of the caller's flow.</summary>
    /// <param name="flow">The chain of each flow.</param>
    /// <param name="value">The value of the scope.</param>
    /// <param name="mayDrop">
    /// Whether a scope around the caller may be removed if another flow has ended it. Such scopes would otherwise stay in the chain.
    /// </param>
    public static FlowScope<T> Enter(AsyncLocal<FlowScope<T>?> flow, T value, Predicate<T> mayDrop)
    {
        var outer = flow.Value;
        while (outer is { HasEnded: true } && mayDrop(outer.Value)) outer = outer.Outer;
        return flow.Value = new FlowScope<T>(flow, value, outer, original: null);
    }

    /// <summary>Ends the scope. Does nothing if it has ended.</summary>
    public void Dispose()
    {
        _hasEnded = true;
        _flow.Value = _flow.Value?.Without(this);
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "A copy of a scope is not ended separately.")]
    private FlowScope<T>? Without(FlowScope<T> ended)
    {
        if (Original == ended) return Outer;
        var outer = Outer?.Without(ended);
        return outer == Outer ? this : new FlowScope<T>(_flow, Value, outer, Original);
    }
}

namespace Tidemark.Verification;

/// <summary>Assigns the library's loss reports to clients by the execution context in which they are raised.</summary>
internal sealed class LossListener : IDisposable
{
    private static readonly AsyncLocal<Action<LostWrite>?> Listener = new();

    private readonly Action<LostWrite>? _outer = Listener.Value;

    private LossListener()
    {
    }

    public static LossListener Listen(Action<LostWrite> listener)
    {
        var teller = new LossListener();
        Listener.Value = listener;
        return teller;
    }

    public static void Report(LostWrite lost) => Listener.Value?.Invoke(lost);

    public void Dispose() => Listener.Value = _outer;
}

namespace Tidemark;

/// <summary>A node in one of its epochs; <see langword="default"/> where it is not known which.</summary>
internal readonly record struct NodeEpoch(int Index, ServerEpoch Epoch)
{
    /// <summary>The node may still be in that epoch. One that is not known has to be shown by the connection.</summary>
    public bool MayBe(int index, ServerEpoch epoch) => Index == index && (Epoch.IsUnknown || Epoch == epoch);
}

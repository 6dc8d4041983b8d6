namespace Tidemark;

/// <summary>A node and one of its epochs, or <see langword="default"/> if unknown.</summary>
internal readonly record struct NodeEpoch(int Index, ServerEpoch Epoch)
{
    /// <summary>
    /// Returns whether this may be the given node in the given epoch. An unknown epoch matches; the connection must then prove it.
    /// </summary>
    public bool MayBe(int index, ServerEpoch epoch) => Index == index && (Epoch.IsUnknown || Epoch == epoch);
}

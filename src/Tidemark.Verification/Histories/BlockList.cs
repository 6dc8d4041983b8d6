namespace Tidemark.Verification;

/// <summary>
/// A list of structs that grows by blocks. It never copies existing items, so recording ten million operations does not need memory for
/// twenty million. Supports one writer.
/// </summary>
internal sealed class BlockList<T> where T : struct
{
    private const int BlockBits = 16;
    private const int BlockLength = 1 << BlockBits;

    private T[][] _blocks = [];

    public int Count { get; private set; }

    public ref T this[int index] => ref _blocks[index >> BlockBits][index & (BlockLength - 1)];

    public int Add(in T item)
    {
        var index = Count;
        if (index == _blocks.Length << BlockBits) _blocks = [.. _blocks, new T[BlockLength]];
        Count = checked(index + 1);
        this[index] = item;
        return index;
    }
}

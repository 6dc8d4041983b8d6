namespace Tidemark.Verification;

/// <summary>Finds the write of a value. Uses open addressing in one array of numbers, since there may be millions of writes.</summary>
internal sealed class WriteIndex
{
    private readonly BlockList<Operation> _operations;
    private readonly int[] _slots;

    /// <exception cref="HistoryException">Two writes have the same value.</exception>
    public WriteIndex(BlockList<Operation> operations)
    {
        _operations = operations;
        var writes = 0;
        for (var i = 0; i < operations.Count; i++)
        {
            if (operations[i].IsWrite) writes++;
        }

        _slots = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)long.Min((2L * writes) + 1, 1 << 30))];
        for (var i = 0; i < operations.Count; i++)
        {
            if (operations[i].IsWrite) Add(i);
        }
    }

    /// <summary>Returns the operation that wrote a value, or -1 if none exists.</summary>
    public int Find(long value) => _slots[Slot(value)] - 1;

    private void Add(int operation)
    {
        ref var slot = ref _slots[Slot(_operations[operation].Value)];
        if (slot != 0)
            throw new HistoryException(new RecordId(RecordKind.Operation, operation),
                $"it writes value {_operations[operation].Value}, which operation #{slot - 1} also writes.");
        slot = operation + 1;
    }

    // The slot of the value, or the free slot where it belongs.
    private int Slot(long value)
    {
        var mask = _slots.Length - 1;
        // Fibonacci hashing distributes consecutive values.
        var slot = (int)(((ulong)value * 0x9E3779B97F4A7C15) >> 32) & mask;
        while (_slots[slot] != 0 && _operations[_slots[slot] - 1].Value != value) slot = (slot + 1) & mask;
        return slot;
    }
}

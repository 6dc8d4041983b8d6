namespace Tidemark.Verification;

/// <summary>Which record of a history: its kind, and its number among those of its kind in the order they were added, from 0.</summary>
internal readonly record struct RecordId(RecordKind Kind, int Index)
{
    public override string ToString() => Kind switch
    {
        RecordKind.Operation => $"Operation #{Index}",
        RecordKind.HandOver => $"Hand-over {Index}",
        RecordKind.Commit => $"Commit record {Index}",
        RecordKind.Fork => $"Fork {Index}",
        RecordKind.Loss => $"Report of a loss {Index}",
        RecordKind.Settlement => $"Settlement {Index}",
        _ => "The history",
    };
}

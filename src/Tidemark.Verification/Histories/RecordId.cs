namespace Tidemark.Verification;

/// <summary>
/// Identifies a record of a history by its kind and its number, counted from 0, among the records of that kind in the order in which they
/// were added.
/// </summary>
internal readonly record struct RecordId(RecordKind Kind, int Index)
{
    public override string ToString() => Kind switch
    {
        RecordKind.Operation => $"Operation #{Index}",
        RecordKind.HandOver => $"Hand-over {Index}",
        RecordKind.Commit => $"Commit record {Index}",
        RecordKind.Fork => $"Fork {Index}",
        RecordKind.Loss => $"Loss report {Index}",
        RecordKind.Settlement => $"Settlement {Index}",
        _ => "The history",
    };
}

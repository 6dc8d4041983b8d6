namespace Tidemark.Verification;

/// <summary>
/// One operation in 48 bytes. For a write: the key, the version that the client received, and the value. For a read: the node, and which
/// observations belong to it.
/// </summary>
internal struct Operation
{
    public long Start;
    public long End;
    public int Client;
    public OperationKind Kind;

    // For a write.
    public byte OutcomeByte;
    public int Key;
    public int Version;
    public long Value;

    // For a read. It reuses the fields of a write for other values, so that ten million operations stay small.
    public byte GuaranteesByte;
    public byte RowCount;

    public readonly bool IsWrite => Kind == OperationKind.Write;

    public int Node { readonly get => Key; set => Key = value; }

    public int FirstRow { readonly get => Version; set => Version = value; }

    /// <summary>The staleness bound in ticks, or a negative number if none exists.</summary>
    public long MaxStaleness { readonly get => Value; set => Value = value; }

    public HistoryOutcome Outcome { readonly get => (HistoryOutcome)OutcomeByte; set => OutcomeByte = (byte)value; }

    public ReadGuarantees Guarantees { readonly get => (ReadGuarantees)GuaranteesByte; set => GuaranteesByte = (byte)value; }

    public readonly bool Asks(ReadGuarantees guarantee) => (Guarantees & guarantee) != 0;
}

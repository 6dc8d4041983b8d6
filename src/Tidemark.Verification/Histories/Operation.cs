namespace Tidemark.Verification;

/// <summary>
/// One operation in 48 bytes. Of a write: the key, the version it was told, its value. Of a read: the node, and which observations are its
/// own.
/// </summary>
internal struct Operation
{
    public long Start;
    public long End;
    public int Client;
    public OperationKind Kind;

    // Of a write.
    public byte OutcomeByte;
    public int Key;
    public int Version;
    public long Value;

    // Of a read; the fields of a write stand for something else there, so that ten million operations stay small.
    public byte GuaranteesByte;
    public byte RowCount;

    public readonly bool IsWrite => Kind == OperationKind.Write;

    public int Node { readonly get => Key; set => Key = value; }

    public int FirstRow { readonly get => Version; set => Version = value; }

    /// <summary>The bound of staleness in ticks; negative for none.</summary>
    public long MaxStaleness { readonly get => Value; set => Value = value; }

    public HistoryOutcome Outcome { readonly get => (HistoryOutcome)OutcomeByte; set => OutcomeByte = (byte)value; }

    public ReadGuarantees Guarantees { readonly get => (ReadGuarantees)GuaranteesByte; set => GuaranteesByte = (byte)value; }

    public readonly bool Asks(ReadGuarantees guarantee) => (Guarantees & guarantee) != 0;
}

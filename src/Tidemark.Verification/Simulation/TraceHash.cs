using System.Globalization;

namespace Tidemark.Verification;

/// <summary>A fingerprint of all events of a run, in order (FNV-1a, 64 bits).</summary>
internal sealed class TraceHash
{
    private ulong _hash = 0xCBF29CE484222325;

    public void Add(long value)
    {
        for (var i = 0; i < sizeof(long); i++)
        {
            _hash = (_hash ^ (byte)value) * 0x100000001B3;
            value >>= 8;
        }
    }

    public override string ToString() => _hash.ToString("x16", CultureInfo.InvariantCulture);
}

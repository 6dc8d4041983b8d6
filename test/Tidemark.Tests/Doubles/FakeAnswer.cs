using System.Buffers.Binary;
using System.Text;

namespace Tidemark;

/// <summary>What a <see cref="FakeServer"/> answers to a statement: one row, no row, or an error.</summary>
internal sealed record FakeAnswer(string Tag)
{
    private static readonly DateTimeOffset PostgresEpoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The columns of the row; empty: the statement returns none.</summary>
    public IReadOnlyList<(string Name, uint Type, byte[]? Value)> Columns { get; private init; } = [];

    /// <summary>The code of the error instead; <see langword="null"/>: it succeeds.</summary>
    public string? SqlState { get; private init; }

    public static FakeAnswer Error(string sqlState) => new("") { SqlState = sqlState };

    public static FakeAnswer Row(params object?[] values) =>
        new("SELECT 1") { Columns = [.. values.Select((value, i) => Column($"c{i}", value))] };

    /// <summary>The same row with another name of its first column.</summary>
    public FakeAnswer Named(string first) => this with { Columns = [(first, Columns[0].Type, Columns[0].Value), .. Columns.Skip(1)] };

    private static (string Name, uint Type, byte[]? Value) Column(string name, object? value) => value switch
    {
        bool flag => (name, 16, [flag ? (byte)1 : (byte)0]),
        long number => (name, 20, BigEndian(number)),
        ulong position => (name, 3220, BigEndian((long)position)),
        int number => (name, 23, BigEndian(number)[4..]),
        DateTimeOffset at => (name, 1184, BigEndian((at - PostgresEpoch).Ticks / TimeSpan.TicksPerMicrosecond)),
        string text => (name, 25, Encoding.UTF8.GetBytes(text)),
        _ => (name, 25, null),
    };

    private static byte[] BigEndian(long number)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return bytes;
    }
}

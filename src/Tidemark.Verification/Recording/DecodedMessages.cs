using System.Buffers.Binary;
using System.Text;

namespace Tidemark.Verification;

/// <summary>
/// Reads the transactions and messages that <c>pgoutput</c> sends: which recorded writes were committed, and where. Pure.
/// </summary>
/// <remarks>The formats are described in PostgreSQL's documentation, "Logical Replication Message Formats", protocol version 1.</remarks>
/// <param name="prefix">The prefix of the messages that record writes.</param>
/// <param name="timeline">The timeline that is decoded.</param>
internal sealed class DecodedMessages(string prefix, uint timeline)
{
    private readonly List<string> _open = [];

    public List<RankedWrite> Commits { get; } = [];

    /// <summary>Whether the end marker was read.</summary>
    public bool HasEnd { get; private set; }

    public void Add(ReadOnlySpan<byte> message)
    {
        switch ((char)message[0])
        {
            case 'B':
                _open.Clear();
                break;
            case 'M' when (message[1] & 1) != 0:
                // Kind, flags, position of the message, zero-terminated prefix, length, content.
                var rest = message[10..];
                var end = rest.IndexOf((byte)0);
                if (Encoding.UTF8.GetString(rest[..end]) == prefix) _open.Add(Encoding.UTF8.GetString(rest[(end + 5)..]));
                break;
            case 'C':
                // Kind, flags, position at which the commit record begins.
                Close(BinaryPrimitives.ReadUInt64BigEndian(message[2..]));
                break;
        }
    }

    private void Close(ulong position)
    {
        foreach (var note in _open)
        {
            if (RegisterTable.Parse(note) is { } write) Commits.Add(new RankedWrite(write, timeline, position));
            else HasEnd = true;
        }

        _open.Clear();
    }
}

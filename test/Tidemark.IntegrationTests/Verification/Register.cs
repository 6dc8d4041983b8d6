namespace Tidemark;

internal sealed class Register
{
    public int Key { get; init; }

    public long Version { get; set; }

    public long Value { get; set; }
}

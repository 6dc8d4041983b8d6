namespace Tidemark;

internal abstract class Payment
{
    public int Id { get; init; }
}

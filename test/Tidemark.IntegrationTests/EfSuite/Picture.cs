namespace Tidemark.EfSuite;

internal sealed class Picture
{
    public int Id { get; set; }

    public int CategoryId { get; set; }

    public required byte[] Bytes { get; set; }
}

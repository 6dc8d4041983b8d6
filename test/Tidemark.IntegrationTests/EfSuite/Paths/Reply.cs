namespace Tidemark.EfSuite;

internal sealed class Reply
{
    public int Id { get; set; }

    public required string Text { get; set; }

    public int NoteId { get; set; }

    public Note? Note { get; set; }
}

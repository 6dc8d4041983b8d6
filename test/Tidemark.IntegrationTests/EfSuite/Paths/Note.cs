using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Tidemark.EfSuite;

/// <summary>Loads its replies lazily.</summary>
internal sealed class Note
{
    private readonly ILazyLoader? _loader;
    private List<Reply>? _replies;

    public Note() => _replies = [];

    private Note(ILazyLoader loader) => _loader = loader;

    public int Id { get; set; }

    public required string Text { get; set; }

    public Mood Mood { get; set; }

    public bool IsHidden { get; set; }

    /// <summary>The version of the row, maintained by PostgreSQL.</summary>
    public uint Version { get; set; }

    public Spot? Spot { get; set; }

    public Details? Details { get; set; }

    public ICollection<Reply> Replies => _loader?.Load(this, ref _replies) ?? (_replies ??= []);
}

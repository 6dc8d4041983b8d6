using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Tidemark.EfSuite;

/// <summary>A native enum type of PostgreSQL.</summary>
internal enum Mood
{
    Calm,
    Cross,
}

/// <summary>Loads its replies when they are asked for.</summary>
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

    /// <summary>The row's version, by PostgreSQL itself.</summary>
    public uint Version { get; set; }

    public Spot? Spot { get; set; }

    public Details? Details { get; set; }

    public ICollection<Reply> Replies => _loader?.Load(this, ref _replies) ?? (_replies ??= []);
}

internal sealed class Reply
{
    public int Id { get; set; }

    public required string Text { get; set; }

    public int NoteId { get; set; }

    public Note? Note { get; set; }
}

/// <summary>Owned, in columns.</summary>
internal sealed class Spot
{
    public required string City { get; set; }
}

/// <summary>Owned, in JSON.</summary>
internal sealed class Details
{
    public required string Colour { get; set; }

    public List<string> Words { get; set; } = [];
}

/// <summary>Gets its key from a sequence, in blocks, before it is saved.</summary>
internal sealed class Mark
{
    public int Id { get; set; }

    public required string Text { get; set; }
}

/// <summary>A row of a view; it has no key.</summary>
internal sealed class NoteLength
{
    public required string Text { get; set; }

    public int Length { get; set; }
}

internal sealed class JournalContext(DbContextOptions<JournalContext> options) : DbContext(options)
{
    public const string View = "CREATE VIEW note_lengths AS SELECT \"Text\", length(\"Text\") AS \"Length\" FROM \"Notes\"; " +
        "CREATE FUNCTION sleep(seconds double precision) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(seconds); RETURN 1; END $$";

    public const string Fill = """
        TRUNCATE "Notes", "Replies", "Marks" RESTART IDENTITY; ALTER SEQUENCE "EntityFrameworkHiLoSequence" RESTART;
        INSERT INTO "Notes" ("Text", "Mood", "IsHidden", "Spot_City", "Details")
            SELECT 'note ' || i, CASE WHEN i = 2 THEN 'cross' ELSE 'calm' END::mood, i = 6, CASE WHEN i < 3 THEN 'Oslo' END,
                CASE WHEN i < 4 THEN '{"Colour": "red", "Words": ["a", "b"]}'::jsonb END FROM generate_series(1, 6) i;
        INSERT INTO "Replies" ("Text", "NoteId") SELECT 'reply ' || i, 1 + i % 3 FROM generate_series(1, 7) i;
        """;

    public DbSet<Note> Notes => Set<Note>();

    public DbSet<Reply> Replies => Set<Reply>();

    public DbSet<Mark> Marks => Set<Mark>();

    public DbSet<NoteLength> Lengths => Set<NoteLength>();

    public static int ServerPort() => throw new NotSupportedException("Runs in the database only.");

    public static int Backend() => throw new NotSupportedException("Runs in the database only.");

    public static int Sleep(double seconds) => throw new NotSupportedException("Runs in the database only.");

    public static string Setting(string name, bool missingIsFine) => throw new NotSupportedException("Runs in the database only.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => ServerPort()).HasName("inet_server_port").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Backend()).HasName("pg_backend_pid").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Sleep(0)).HasName("sleep");
        modelBuilder.HasDbFunction(() => Setting("", true)).HasName("current_setting").IsBuiltIn();
        modelBuilder.Entity<Note>(note =>
        {
            note.Property(n => n.Version).IsRowVersion();
            note.OwnsOne(n => n.Spot);
            note.OwnsOne(n => n.Details, details => details.ToJson());
            note.HasQueryFilter(n => !n.IsHidden);
            note.HasMany(n => n.Replies).WithOne(r => r.Note).HasForeignKey(r => r.NoteId);
        });
        modelBuilder.Entity<Mark>().Property(m => m.Id).UseHiLo();
        modelBuilder.Entity<NoteLength>().HasNoKey().ToView("note_lengths");
    }
}

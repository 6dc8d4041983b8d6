using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

internal sealed class JournalContext(DbContextOptions<JournalContext> options) : DbContext(options)
{
    public const string View = "CREATE VIEW note_lengths AS SELECT \"Text\", length(\"Text\") AS \"Length\" FROM \"Notes\"; " +
        "CREATE FUNCTION sleep(seconds double precision) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(seconds); RETURN 1; "
            + "END $$";

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

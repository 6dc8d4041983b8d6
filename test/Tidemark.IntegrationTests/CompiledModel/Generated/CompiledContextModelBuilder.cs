using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#pragma warning disable 219, 612, 618
#nullable disable

namespace Tidemark.CompiledModel.Generated
{
    public partial class CompiledContextModel
    {
        private CompiledContextModel()
            : base(skipDetectChanges: false, modelId: new Guid("c08542e4-83df-43f5-9170-f8f1ad6fb053"), entityTypeCount: 3)
        {
        }

        partial void Initialize()
        {
            var chapter = ChapterEntityType.Create(this);
            var secret = SecretEntityType.Create(this);
            var story = StoryEntityType.Create(this);

            ChapterEntityType.CreateAnnotations(chapter);
            SecretEntityType.CreateAnnotations(secret);
            StoryEntityType.CreateAnnotations(story);

            AddAnnotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn);
            AddAnnotation("ProductVersion", "10.0.11");
            AddAnnotation("Relational:MaxIdentifierLength", 63);
        }
    }
}

using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Store.Data.Migrations;

/// <summary>Inserts 10,000 products and five users with their wishes and messages: <c>SampleData.sql</c>.</summary>
[DbContext(typeof(StoreContext))]
[Migration("20260101000001_SampleData")]
internal sealed class SampleData : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        using var text = new StreamReader(GetType().Assembly.GetManifestResourceStream("SampleData.sql")!);
        migrationBuilder.Sql(text.ReadToEnd());
    }
}

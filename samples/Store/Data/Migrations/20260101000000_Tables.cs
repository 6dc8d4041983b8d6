using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

namespace Store.Data.Migrations;

[DbContext(typeof(StoreContext))]
[Migration("20260101000000_Tables")]
internal sealed class Tables : Migration
{
    private const string Identity = "Npgsql:ValueGenerationStrategy";

    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable(
            name: "products",
            columns: table => new
            {
                id = table.Column<int>().Annotation(Identity, NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                name = table.Column<string>(),
                category = table.Column<string>(),
                price = table.Column<decimal>("numeric(10,2)"),
            },
            constraints: table => table.PrimaryKey("pk_products", product => product.id));

        migrationBuilder.CreateTable(
            name: "users",
            columns: table => new
            {
                id = table.Column<int>().Annotation(Identity, NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                name = table.Column<string>(),
            },
            constraints: table => table.PrimaryKey("pk_users", user => user.id));

        migrationBuilder.CreateTable(
            name: "wishes",
            columns: table => new
            {
                user_id = table.Column<int>(),
                product_id = table.Column<int>(),
                added_at = table.Column<DateTimeOffset>(defaultValueSql: "now()"),
            },
            constraints: table =>
            {
                table.PrimaryKey("pk_wishes", wish => new { wish.user_id, wish.product_id });
                table.ForeignKey("fk_wishes_users", wish => wish.user_id, "users", "id");
                table.ForeignKey("fk_wishes_products", wish => wish.product_id, "products", "id");
            });

        migrationBuilder.CreateTable(
            name: "messages",
            columns: table => new
            {
                id = table.Column<int>().Annotation(Identity, NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                from_id = table.Column<int>(),
                to_id = table.Column<int>(),
                text = table.Column<string>("character varying(500)"),
                sent_at = table.Column<DateTimeOffset>(defaultValueSql: "now()"),
                is_read = table.Column<bool>(),
            },
            constraints: table =>
            {
                table.PrimaryKey("pk_messages", message => message.id);
                table.ForeignKey("fk_messages_from", message => message.from_id, "users", "id");
                table.ForeignKey("fk_messages_to", message => message.to_id, "users", "id");
            });

        migrationBuilder.CreateIndex("ix_products_category", "products", ["category", "id"]);
        migrationBuilder.CreateIndex("ix_wishes_product", "wishes", "product_id");
        migrationBuilder.CreateIndex("ix_messages_inbox", "messages", ["to_id", "sent_at"]);
    }
}

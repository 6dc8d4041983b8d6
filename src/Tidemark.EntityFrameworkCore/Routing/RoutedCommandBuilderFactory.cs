using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>Builds commands that are routed when they run. EF Core creates every command through this service.</summary>
internal sealed class RoutedCommandBuilderFactory(RelationalCommandBuilderDependencies dependencies) : RelationalCommandBuilderFactory(
    dependencies)
{
    public override IRelationalCommandBuilder Create() => new Builder(Dependencies);

    private sealed class Builder(RelationalCommandBuilderDependencies dependencies) : RelationalCommandBuilder(dependencies)
    {
        public override IRelationalCommand Build()
        {
            var built = base.Build();
            var (route, sql) = QueryRoute.Read(built.CommandText);
            return new RoutedCommand(Dependencies, route, sql, QueryRoute.Read(built.LogCommandText).Sql, built.Parameters);
        }
    }
}

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Tidemark.CompiledModel.Generated;

namespace Tidemark.CompiledModel;

/// <summary>The read rules of entities in a compiled model.</summary>
public sealed class CompiledModelTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rules_of_entities_route_by_a_compiled_model_too()
    {
        var ports = new CommandPorts();
        var options = new DbContextOptionsBuilder().UseTidemark(shared.Source).UseModel(CompiledContextModel.Instance)
            .AddInterceptors(ports).Options;
        await using var context = new CompiledContext(options);
        context.Model.ShouldBeSameAs(CompiledContextModel.Instance);

        await context.Secrets.AsNoTracking().ToListAsync(Stop);
        shared.NodeAt(ports.TakePorts().ShouldHaveSingleItem()).ShouldBe("pg-1");
        context.Secrets.AsNoTracking().ExplainRoute().Reason.ShouldBe(RouteReason.EntityRule);

        // A replica may not have replayed yet what the first read observed on the primary.
        await using var other = new CompiledContext(options);
        await other.Chapters.AsNoTracking().ToListAsync(Stop);
        shared.NodeAt(ports.TakePorts().ShouldHaveSingleItem()).ShouldNotBe("pg-1");
        RuleOf(CompiledContextModel.Instance, typeof(Story)).ShouldBe(Consistency.BoundedStaleness(TimeSpan.FromSeconds(30)));
        RuleOf(CompiledContextModel.Instance, typeof(Chapter)).ShouldBeNull();
    }

    [Fact]
    public void The_compiled_model_is_current_and_its_annotations_are_plain_text()
    {
        using var context = new CompiledContext(new DbContextOptionsBuilder().UseTidemark(shared.Source).Options);
        context.Model.ShouldNotBeSameAs(CompiledContextModel.Instance);
        var rules = Rules(context.Model);
        rules.ShouldAllBe(rule => rule.Value is string);
        rules.Count.ShouldBe(2);
        Rules(CompiledContextModel.Instance).ShouldBe(rules);
    }

    private static Consistency? RuleOf(IModel model, Type entity) => EntityRule.Of(model.FindEntityType(entity)!);

    private static List<(string Entity, string Name, object? Value)> Rules(IModel model) =>
    [
        .. from entity in model.GetEntityTypes()
           from annotation in entity.GetAnnotations()
           where annotation.Name.StartsWith("Tidemark", StringComparison.Ordinal)
           orderby entity.Name, annotation.Name
           select (entity.Name, annotation.Name, annotation.Value),
    ];
}

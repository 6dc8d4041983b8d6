using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says in the model what reads of an entity ask for, wherever it appears in a query.</summary>
public static class TidemarkEntityTypeBuilderExtensions
{
    /// <summary>
    /// Every query that reads the entity runs on the primary: directly, by a join, an include, a navigation, a query filter or a subquery.
    /// </summary>
    /// <param name="entity">
    /// The entity. The rule holds for queries of its base and derived types too; owned types follow their owner.
    /// </param>
    public static EntityTypeBuilder<T> ReadsFromPrimary<T>(this EntityTypeBuilder<T> entity)
        where T : class => entity.Reads(Consistency.Strong);

    /// <inheritdoc cref="ReadsFromPrimary{T}"/>
    public static EntityTypeBuilder ReadsFromPrimary(this EntityTypeBuilder entity) => entity.Reads(Consistency.Strong);

    /// <summary>
    /// Every query that reads the entity asks for at least this: directly, by a join, an include, a navigation, a query filter or a
    /// subquery.
    /// </summary>
    /// <param name="entity">
    /// The entity. The rule holds for queries of its base and derived types too; owned types follow their owner.
    /// </param>
    /// <param name="consistency">
    /// What is asked for, in place of the default level. Of several entities in a query, and of what the query or the surrounding scope
    /// says itself,
    /// the most demanding counts (<see cref="Consistency.MostDemanding"/>).
    /// </param>
    /// <remarks>A bound of staleness below the cluster's <see cref="TidemarkOptions.ProbeInterval"/> fails when a query runs.</remarks>
    public static EntityTypeBuilder<T> Reads<T>(this EntityTypeBuilder<T> entity, Consistency consistency)
        where T : class => (EntityTypeBuilder<T>)Reads((EntityTypeBuilder)entity, consistency);

    /// <inheritdoc cref="Reads{T}"/>
    public static EntityTypeBuilder Reads(this EntityTypeBuilder entity, Consistency consistency)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return entity.HasAnnotation(EntityRule.Annotation, consistency.ToString());
    }
}

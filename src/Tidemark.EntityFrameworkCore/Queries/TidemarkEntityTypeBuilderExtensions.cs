using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that declare in the model what reads of an entity require, wherever it appears in a query.</summary>
public static class TidemarkEntityTypeBuilderExtensions
{
    /// <summary>
    /// Runs every query that reads the entity on the primary. This applies to reads directly, or through a join, an include, a navigation,
    /// a query filter or a subquery.
    /// </summary>
    /// <param name="entity">
    /// The entity. The rule also applies to queries of its base and derived types. Owned types follow their owner.
    /// </param>
    public static EntityTypeBuilder<T> ReadsFromPrimary<T>(this EntityTypeBuilder<T> entity)
        where T : class => entity.Reads(Consistency.Strong);

    /// <inheritdoc cref="ReadsFromPrimary{T}"/>
    public static EntityTypeBuilder ReadsFromPrimary(this EntityTypeBuilder entity) => entity.Reads(Consistency.Strong);

    /// <summary>
    /// Requires at least this consistency level for every query that reads the entity. This applies to reads directly, or through a join,
    /// an include, a navigation, a query filter or a subquery.
    /// </summary>
    /// <param name="entity">
    /// The entity. The rule also applies to queries of its base and derived types. Owned types follow their owner.
    /// </param>
    /// <param name="consistency">
    /// The level, which replaces the default level. If a query reads several entities, or if the query or the surrounding scope sets a
    /// level, the most demanding level applies (<see cref="Consistency.MostDemanding"/>).
    /// </param>
    /// <remarks>
    /// If the staleness bound is below the cluster's <see cref="TidemarkOptions.ProbeInterval"/>, queries fail when they run.
    /// </remarks>
    public static EntityTypeBuilder<T> Reads<T>(this EntityTypeBuilder<T> entity, Consistency consistency)
        where T : class => (EntityTypeBuilder<T>)Reads((EntityTypeBuilder)entity, consistency);

    /// <inheritdoc cref="Reads{T}"/>
    public static EntityTypeBuilder Reads(this EntityTypeBuilder entity, Consistency consistency)
    {
        ArgumentNullException.ThrowIfNull(entity);
        return entity.HasAnnotation(EntityRule.Annotation, consistency.ToString());
    }
}

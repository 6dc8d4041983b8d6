using System.Globalization;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Tidemark;

/// <summary>
/// The rule of the model for reads of an entity. Stored as a text annotation, so that compiled models and snapshots can hold it.
/// </summary>
internal static class EntityRule
{
    public const string Annotation = "Tidemark:Reads";

    /// <summary>
    /// Returns the rule for reading an entity, or <see langword="null"/> if the model has none. A query for an entity may involve its base
    /// and derived types, so the rules of all of them count.
    /// </summary>
    public static Consistency? Of(IReadOnlyEntityType entity)
    {
        Consistency? rule = null;
        foreach (var type in entity.GetAllBaseTypesInclusive().Concat(entity.GetDerivedTypes()))
        {
            if (type.FindAnnotation(Annotation)?.Value is not string text) continue;
            var own = Consistency.Parse(text, CultureInfo.InvariantCulture);
            rule = rule is { } known ? Consistency.MostDemanding(known, own) : own;
        }

        return rule;
    }
}

using System.Globalization;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Tidemark;

/// <summary>
/// What the model asks for of an entity's reads: an annotation, kept as text so that compiled models and snapshots can hold it.
/// </summary>
internal static class EntityRule
{
    public const string Annotation = "Tidemark:Reads";

    /// <summary>
    /// The rule for reading an entity; <see langword="null"/>: there is none. A query for an entity may meet those it derives from and
    /// those derived from
    /// it, so the rules of all of them count.
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

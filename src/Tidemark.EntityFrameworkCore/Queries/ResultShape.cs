using System.Collections;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Tidemark;

/// <summary>
/// Determines whether the result of a query may hold an entity that the context would track: the entity itself, a collection of it, or a
/// type with such a property. If the type does not show this (<see cref="object"/>, interfaces, collections of objects), it may.
/// </summary>
internal sealed class ResultShape(IModel model)
{
    private readonly HashSet<Type> _seen = [];

    public bool MayHoldEntity(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsPrimitive || type.IsEnum || type == typeof(string) || !_seen.Add(type)) return false;
        if (type == typeof(object) || (type.Namespace == "System.Collections" && type != typeof(BitArray))) return true;
        if (type.IsArray) return MayHoldEntity(type.GetElementType()!);
        if (model.FindEntityTypes(type).Any()) return model.FindEntityTypes(type).Any(e => e.FindPrimaryKey() is not null && !e.IsOwned());
        if (type.IsGenericType && (typeof(IEnumerable).IsAssignableFrom(type) || IsOfSystem(type)))
            return type.GetGenericArguments().Any(MayHoldEntity);
        if (IsOfSystem(type)) return false;
        if (type.IsInterface || type.IsAbstract) return true;

        return type.GetProperties().Any(p => MayHoldEntity(p.PropertyType)) || type.GetFields().Any(f => MayHoldEntity(f.FieldType));
    }

    /// <summary>
    /// Returns whether a type belongs to the platform or the driver. Such types (dates, tuples, JSON, ranges) hold entities in their type
    /// arguments or not at all.
    /// </summary>
    private static bool IsOfSystem(Type type) =>
        type.Namespace is { } name && (name == "System" || name.StartsWith("System.", StringComparison.Ordinal)
            || name.StartsWith("Npgsql", StringComparison.Ordinal) || name.StartsWith("NodaTime", StringComparison.Ordinal));
}

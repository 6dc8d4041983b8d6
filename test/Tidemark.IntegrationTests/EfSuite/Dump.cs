using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Tidemark.EfSuite;

/// <summary>
/// Renders the result of a query as text that is equal if the results are equal. The text contains every property and field, the objects
/// they refer to, and which of them are the same object.
/// </summary>
internal sealed class Dump
{
    private readonly StringBuilder _text = new();
    private readonly Dictionary<object, int> _seen = new(ReferenceEqualityComparer.Instance);

    public static string Of(object? value)
    {
        var dump = new Dump();
        dump.Add(value);
        return dump._text.ToString();
    }

    private void Add(object? value)
    {
        switch (value)
        {
            case null:
                _text.Append("null");
                return;
            case string text:
                _text.Append('"').Append(text).Append('"');
                return;
            case IFormattable plain when value is not ITuple:
                _text.Append(
                    plain.ToString(value is DateTime or DateTimeOffset or DateOnly or TimeOnly ? "O" : null, CultureInfo.InvariantCulture));
                return;
            case bool or char:
                _text.Append(value);
                return;
        }

        if (!value.GetType().IsValueType)
        {
            if (_seen.TryGetValue(value, out var number))
            {
                _text.Append('#').Append(number);
                return;
            }

            _seen.Add(value, _seen.Count);
            _text.Append('#').Append(_seen.Count - 1).Append('=');
        }

        if (value is IEnumerable rows) AddRows(value, rows);
        else AddMembers(value);
    }

    private void AddRows(object value, IEnumerable rows)
    {
        // The key of a group is the only member of a collection that belongs to the result.
        var key = value.GetType().GetInterfaces()
            .FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IGrouping<,>))?.GetProperty("Key");
        if (key is not null) Add(key.GetValue(value));
        _text.Append('[');
        foreach (var row in rows)
        {
            Add(row);
            _text.Append(",\n");
        }

        _text.Append(']');
    }

    private void AddMembers(object value)
    {
        var type = value.GetType();
        _text.Append(type.Name).Append('{');
        foreach (var member in type.GetMembers(BindingFlags.Public | BindingFlags.Instance).OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            if (member is PropertyInfo property && property.GetIndexParameters().Length == 0)
                AddMember(member.Name, property.GetValue(value));
            else if (member is FieldInfo field) AddMember(member.Name, field.GetValue(value));
        }

        _text.Append('}');
    }

    private void AddMember(string name, object? value)
    {
        _text.Append(name).Append(':');
        Add(value);
        _text.Append(' ');
    }
}

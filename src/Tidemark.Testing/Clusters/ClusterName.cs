using System.Text.RegularExpressions;

namespace Tidemark.Testing;

/// <summary>The names of kept clusters.</summary>
internal static partial class ClusterName
{
    /// <inheritdoc cref="KeptCluster.NameRule"/>
    public const string Rule = "use up to 63 letters, digits and . _ -, and start with a letter or digit";

    /// <summary>Returns whether a name is valid: it must work as a folder name on every system and as one word in every shell.</summary>
    public static bool IsValid(string name) => Name().IsMatch(name);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\z")]
    private static partial Regex Name();
}

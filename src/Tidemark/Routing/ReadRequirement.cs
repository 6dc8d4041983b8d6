namespace Tidemark;

/// <summary>What the node of one statement must be or contain. Derived from session and level anew for every attempt.</summary>
internal readonly record struct ReadRequirement
{
    /// <summary>Set when the statement must run on the primary, and says why; <see cref="RouteReason.None"/> otherwise.</summary>
    public RouteReason PrimaryBecause { get; init; }

    /// <summary>What the node must contain; <see langword="null"/>: anything will do.</summary>
    public Place? MustInclude { get; init; }

    /// <summary>The name of the node the caller asked for; <see langword="null"/>: any.</summary>
    public string? OnNode { get; init; }

    /// <summary>The statement may write: only the primary will do, whatever was named.</summary>
    public bool IsWrite { get; init; }

    public static ReadRequirement Primary(RouteReason because) => new() { PrimaryBecause = because, IsWrite = because == RouteReason.Write };

    public override string ToString()
    {
        var what = IsWrite ? "write" : "read";
        if (OnNode is not null) return $"this {what} asks for node '{OnNode}'";
        if (IsWrite) return "this write needs the primary";
        if (PrimaryBecause != RouteReason.None) return $"this read needs the primary ({RouteText.Of(PrimaryBecause)})";
        return MustInclude is { } place ? $"this read must include position {place}" : "this read may go to any node";
    }
}

namespace Tidemark;

/// <summary>
/// An option of a cluster or a node. This declaration feeds the reader, the validator, the reload and the table in
/// <c>docs/configuration.md</c>.
/// </summary>
/// <param name="Name">The property's name, which is also the key in the configuration.</param>
/// <param name="Meaning">What the option does, for the table.</param>
internal sealed record OptionDeclaration<TOwner>(string Name, string Meaning)
{
    /// <summary>What the option accepts, as the object of "Use ...".</summary>
    public string Bounds { get; init; } = "a text";

    /// <summary>A value in the notation of the configuration, or <see langword="null"/> if the bounds speak for themselves.</summary>
    public string? Example { get; init; }

    /// <summary>What applies while the value is <see langword="null"/>, for the table.</summary>
    public string Unset { get; init; } = "none";

    public required Func<TOwner, object?> Get { get; init; }

    public required Action<TOwner, object?> Set { get; init; }

    /// <summary>Converts a configured text, or returns <see langword="null"/> if it cannot be converted.</summary>
    public Func<string, object?> Parse { get; init; } = text => text;

    /// <summary>Whether a value is within the bounds. <see langword="null"/> always is.</summary>
    public Func<object, bool> Accepts { get; init; } = _ => true;

    /// <summary>Whether a reload of the configuration changes the value of a running data source. Otherwise a restart does.</summary>
    public bool IsReloaded { get; init; }

    /// <summary>Whether the value must not appear in errors or logs.</summary>
    public bool IsSecret { get; init; }

    public string Remedy => Example is null ? $"Use {Bounds}." : $"Use {Bounds}, such as {Example}.";

    public bool IsValid(TOwner owner) => Get(owner) is not { } value || Accepts(value);

    public bool IsEqual(TOwner one, TOwner other) => Equals(Get(one), Get(other));

    public void Copy(TOwner from, TOwner to) => Set(to, Get(from));
}

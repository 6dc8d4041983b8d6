using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>
/// What one node reported, all within a short time. A missing section is <c>null</c>, and <see cref="Unseen"/> has the reason.
/// </summary>
internal sealed record NodeFacts
{
    public string Name { get; init; } = "";

    /// <summary>The address of the node as used from this machine, as <c>host=… port=…</c>; <c>null</c> if unknown.</summary>
    public string? Address { get; init; }

    /// <summary>Whether the node runs on this machine.</summary>
    public bool IsLoopback { get; init; }

    /// <summary>Why the connection failed; <c>null</c> if it succeeded.</summary>
    public ConnectionFailure? Failure { get; init; }

    /// <summary>Why a section is missing.</summary>
    public IReadOnlyDictionary<Section, string> Unseen { get; init; } = ImmutableDictionary<Section, string>.Empty;

    /// <summary>
    /// Maximum number of connections in each of the two pools of an application for this node; <c>null</c> if not configured.
    /// </summary>
    public int? PoolSize { get; init; }

    /// <summary>The servers that further connections to the same address reached; <c>null</c> if none was opened.</summary>
    [JsonIgnore]
    public IReadOnlyList<NamedServer>? Behind { get; init; }

    public ServerFacts? Server { get; init; }

    public IdentityFacts? Identity { get; init; }

    public PositionFacts? Position { get; init; }

    public IReadOnlyDictionary<string, Setting>? Settings { get; init; }

    public IReadOnlyList<Sender>? Senders { get; init; }

    public IReadOnlyList<Slot>? Slots { get; init; }

    /// <summary>One receiver, or none.</summary>
    public IReadOnlyList<Receiver>? Receivers { get; init; }

    public Conflicts? Conflicts { get; init; }

    public IReadOnlyList<IdleTransaction>? IdleTransactions { get; init; }

    public IReadOnlyList<PreparedTransaction>? PreparedTransactions { get; init; }

    public IReadOnlyList<AccessRule>? AccessRules { get; init; }

    public IReadOnlyList<EnumType>? Enums { get; init; }

    public IReadOnlyList<Extension>? Extensions { get; init; }

    public IReadOnlyList<string>? UnloggedTables { get; init; }

    /// <summary>Whether it is in recovery; <c>null</c> if unknown.</summary>
    public bool? IsReplica => Server?.IsInRecovery;

    /// <summary>The value of a setting, in its unit; <c>null</c> if unknown.</summary>
    public string? Value(string setting) => Settings?.GetValueOrDefault(setting)?.Value;

    /// <summary>The value of a numeric setting, in its unit.</summary>
    public long? Number(string setting) =>
        long.TryParse(Value(setting), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Whether a setting has the given value.</summary>
    public bool Has(string setting, string value) => Value(setting) == value;

    /// <summary>Number of connections available to ordinary roles.</summary>
    public long? OrdinaryConnections =>
        Number("max_connections") - Number("superuser_reserved_connections") - (Number("reserved_connections") ?? 0);
}

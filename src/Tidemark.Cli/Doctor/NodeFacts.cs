using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>What one node said, all within a moment. What it did not say is null, and <see cref="Unseen"/> tells why.</summary>
internal sealed record NodeFacts
{
    public string Name { get; init; } = "";

    /// <summary>Where the machine that asks reaches the node, as <c>host=… port=…</c>; null where nobody said.</summary>
    public string? Address { get; init; }

    /// <summary>Whether the node is on the machine that asks.</summary>
    public bool IsLoopback { get; init; }

    /// <summary>Why there was no connection; null where there was one.</summary>
    public ConnectionFailure? Failure { get; init; }

    /// <summary>Why a section was not seen.</summary>
    public IReadOnlyDictionary<Section, string> Unseen { get; init; } = ImmutableDictionary<Section, string>.Empty;

    /// <summary>Connections at most in each of the two pools that an application has of this node; null where nobody said.</summary>
    public int? PoolSize { get; init; }

    /// <summary>The servers that further connections to the same address led to; null where none was opened.</summary>
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

    /// <summary>Whether it replays; null while that was not seen.</summary>
    public bool? IsReplica => Server?.IsInRecovery;

    /// <summary>A setting as the server has it, in its unit; null when it was not seen.</summary>
    public string? Value(string setting) => Settings?.GetValueOrDefault(setting)?.Value;

    /// <summary>A setting that is a number, in its unit.</summary>
    public long? Number(string setting) =>
        long.TryParse(Value(setting), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Whether a setting has a value.</summary>
    public bool Has(string setting, string value) => Value(setting) == value;

    /// <summary>Connections that an ordinary role can have.</summary>
    public long? OrdinaryConnections =>
        Number("max_connections") - Number("superuser_reserved_connections") - (Number("reserved_connections") ?? 0);
}

using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>What can be seen of a node: one question each.</summary>
internal enum Section
{
    Server,
    Identity,
    Position,
    Settings,
    Senders,
    Slots,
    Receivers,
    Conflicts,
    IdleTransactions,
    PreparedTransactions,
    AccessRules,
    Enums,
    Extensions,
    UnloggedTables,
}

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
    public long? Number(string setting) => long.TryParse(Value(setting), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Whether a setting has a value.</summary>
    public bool Has(string setting, string value) => Value(setting) == value;

    /// <summary>Connections that an ordinary role can have.</summary>
    public long? OrdinaryConnections => Number("max_connections") - Number("superuser_reserved_connections") - (Number("reserved_connections") ?? 0);
}

internal sealed record ServerFacts(bool IsInRecovery, string Version, int Major, string Role, bool SeesStatistics, long Connections, string StartedAt);

/// <summary>A server that answered to an address.</summary>
/// <param name="StartedAt">When it was started.</param>
/// <param name="SystemIdentifier">Its cluster.</param>
internal sealed record NamedServer(string StartedAt, string SystemIdentifier);

internal sealed record IdentityFacts(string SystemIdentifier);

/// <param name="Position">What a replica has replayed, what a primary has flushed; bytes since the beginning.</param>
/// <param name="Timeline">Of a primary.</param>
/// <param name="Pause">Of a replica's replay: <c>not paused</c>, <c>pause requested</c>, <c>paused</c>.</param>
/// <param name="LastCommitAt">When the last commit that a replica has replayed was made, by the clock of the primary; seconds since 1970.</param>
/// <param name="Clock">The server's; seconds since 1970.</param>
internal sealed record PositionFacts(long? Position, int? Timeline, string? Pause, double? LastCommitAt, double Clock);

internal sealed record Setting(string Value, string? Unit, string? Source);

internal sealed record Sender(int Pid, string? Application, string? Address, string? State, string? SyncState);

/// <summary>A replication slot; <c>Retained</c> is how many bytes of WAL it keeps, null where it keeps none or nobody can tell.</summary>
internal sealed record Slot(string Name, string Type, bool Active, int? ActivePid, string? WalStatus, long? Retained);

internal sealed record Receiver(string? Status, int? ReceivedTimeline, string? SlotName, string? Application, string? SenderHost, int? SenderPort);

/// <summary>Reads that a replica has cancelled, since its statistics began.</summary>
internal sealed record Conflicts(long Snapshot, long Lock, long Bufferpin, long Deadlock, long Tablespace)
{
    public long All => Snapshot + Lock + Bufferpin + Deadlock + Tablespace;
}

internal sealed record IdleTransaction(int Pid, string? Role, string? Application, double Seconds);

internal sealed record PreparedTransaction(string Gid, string Owner, double Seconds);

/// <summary>A line of pg_hba.conf that lets in without a question.</summary>
internal sealed record AccessRule(int Line, string Type, string Databases, string Roles, string Address);

internal sealed record EnumType(string Name, long Oid, IReadOnlyList<string> Labels);

/// <summary>An extension in the database.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">The version that the database has.</param>
/// <param name="IsAvailable">Whether the server's machine has its control file, and so its files.</param>
/// <param name="IsInstallable">Whether it could be created there in this version. One that was created long ago works without that: scripts of old versions are no longer delivered.</param>
internal sealed record Extension(string Name, string Version, bool IsAvailable, bool IsInstallable);

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

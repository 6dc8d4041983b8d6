namespace Tidemark.Cli.Doctor;

/// <summary>A part of what a node reports; there is one query for each.</summary>
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

using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor;

/// <summary>
/// The queries to a node. They use only columns that PostgreSQL 15 to 18 all have. The names in the results are those of the records in
/// <see cref="NodeFacts"/>.
/// </summary>
internal static class Questions
{
    private static readonly string[] Settings =
    [
        "wal_level", "max_wal_senders", "max_replication_slots", "max_connections", "max_worker_processes", "max_prepared_transactions",
            "max_locks_per_transaction",
        "superuser_reserved_connections", "reserved_connections", "hot_standby", "hot_standby_feedback", "max_standby_streaming_delay",
            "max_slot_wal_keep_size",
        "wal_keep_size", "restore_command", "recovery_min_apply_delay", "synchronous_commit", "synchronous_standby_names",
            "default_transaction_isolation",
        "default_transaction_read_only", "fsync", "full_page_writes", "wal_log_hints", "data_checksums", "cluster_name",
    ];

    /// <summary>The WAL position. Queried repeatedly on a replica that lags.</summary>
    public static Question Position { get; } = One(Section.Position, """
        SELECT ((CASE WHEN r.standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)
                 - '0/0'::pg_lsn)::bigint AS position,
               CASE WHEN NOT r.standby THEN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END AS timeline,
               CASE WHEN r.standby THEN pg_get_wal_replay_pause_state() END AS pause,
               CASE WHEN r.standby THEN extract(epoch FROM pg_last_xact_replay_timestamp())::float8 END AS last_commit_at,
               extract(epoch FROM clock_timestamp())::float8 AS clock
          FROM (SELECT pg_is_in_recovery() AS standby) r
        """);

    public static ImmutableArray<Question> All { get; } =
    [
        One(Section.Server, """
            SELECT pg_is_in_recovery() AS is_in_recovery, current_setting('server_version') AS version,
                   current_setting('server_version_num')::int / 10000 AS major,
                   current_user::text AS role, pg_has_role('pg_read_all_stats', 'usage') AS sees_statistics,
                   (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database) AS connections,
                   extract(epoch FROM pg_postmaster_start_time())::text AS started_at
            """),
        One(Section.Identity, "SELECT system_identifier::text AS system_identifier FROM pg_control_system()"),
        Position,
        new(Section.Settings, $"""
            SELECT coalesce(json_object_agg(name, json_build_object('value', setting, 'unit', unit, 'source', source)), '{"{}"}')::text
              FROM pg_settings WHERE name IN ({string.Join(", ", Settings.Select(name => $"'{name}'"))})
            """),
        Many(Section.Senders, """
            SELECT pid, application_name AS application, client_addr::text AS address, state, sync_state
              FROM pg_stat_replication ORDER BY application_name, pid
            """, needsStatistics: true),
        // PostgreSQL 17 synchronizes slots to a standby for a failover. Such a copy is inactive by design.
        Many(Section.Slots, """
            SELECT slot_name AS name, slot_type AS type, active, active_pid, wal_status,
                   (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
                    - restart_lsn)::bigint AS retained
              FROM pg_replication_slots s
             WHERE NOT temporary AND NOT coalesce((to_jsonb(s) ->> 'synced')::boolean, false) ORDER BY slot_name
            """),
        Many(Section.Receivers, """
            SELECT status, received_tli AS received_timeline, slot_name, sender_host, sender_port,
                   coalesce(substring(conninfo FROM '(?:^| )application_name=([^ ]+)'),
                            substring(conninfo FROM 'fallback_application_name=([^ ]+)')) AS application
              FROM pg_stat_wal_receiver
            """, needsStatistics: true),
        One(Section.Conflicts, """
            SELECT coalesce(sum(confl_snapshot), 0) AS snapshot, coalesce(sum(confl_lock), 0) AS lock,
                   coalesce(sum(confl_bufferpin), 0) AS bufferpin,
                   coalesce(sum(confl_deadlock), 0) AS deadlock, coalesce(sum(confl_tablespace), 0) AS tablespace
              FROM pg_stat_database_conflicts
            """),
        Many(Section.IdleTransactions, """
            SELECT pid, usename AS role, application_name AS application,
                   extract(epoch FROM clock_timestamp() - state_change)::float8 AS seconds
              FROM pg_stat_activity WHERE state IN ('idle in transaction', 'idle in transaction (aborted)') ORDER BY state_change LIMIT 100
            """, needsStatistics: true),
        Many(Section.PreparedTransactions, """
            SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
              FROM pg_prepared_xacts ORDER BY prepared LIMIT 100
            """),
        Many(Section.AccessRules, """
            SELECT line_number AS line, type, array_to_string(database, ',') AS databases, array_to_string(user_name, ',') AS roles,
                   address || CASE WHEN netmask IS NULL THEN '' ELSE ' ' || netmask END AS address
              FROM pg_hba_file_rules
             WHERE error IS NULL AND type LIKE 'host%' AND auth_method = 'trust'
               AND NOT coalesce('clientcert=verify-full' = ANY (options), false)
               AND NOT (address IN ('samehost', 'localhost')
                        OR address ~ '^127\.[0-9.]+$' AND netmask LIKE '255.%'
                        OR address = '::1' AND netmask LIKE 'ffff:%')
             ORDER BY line_number LIMIT 100
            """),
        Many(Section.Enums, """
            SELECT t.oid::regtype::text AS name, t.oid::bigint AS oid,
                   (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
              FROM pg_type t WHERE t.typtype = 'e' AND EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = t.oid) ORDER BY 1 LIMIT 1000
            """),
        Many(Section.Extensions, """
            SELECT x.extname AS name, x.extversion AS version,
                   EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = x.extname) AS is_available,
                   EXISTS (SELECT FROM pg_available_extension_versions a
                            WHERE a.name = x.extname AND a.version = x.extversion) AS is_installable
              FROM pg_extension x ORDER BY 1
            """),
        new(Section.UnloggedTables, """
            SELECT coalesce(json_agg(oid::regclass::text ORDER BY oid::regclass::text), '[]')::text
              FROM pg_class WHERE relpersistence = 'u' AND relkind IN ('r', 'p', 'm')
            """),
    ];

    /// <summary>The view or function that a section comes from.</summary>
    public static string Source(Section section) => section switch
    {
        Section.Identity => "pg_control_system()",
        Section.Settings => "pg_settings",
        Section.Senders => "pg_stat_replication",
        Section.Slots => "pg_replication_slots",
        Section.Receivers => "pg_stat_wal_receiver",
        Section.Conflicts => "pg_stat_database_conflicts",
        Section.IdleTransactions => "pg_stat_activity",
        Section.PreparedTransactions => "pg_prepared_xacts",
        Section.AccessRules => "pg_hba_file_rules",
        Section.Enums => "pg_enum",
        Section.Extensions => "pg_extension",
        Section.UnloggedTables => "pg_class",
        _ => "role and position",
    };

    private static Question One(Section section, string sql) => new(section, $"SELECT row_to_json(q)::text FROM ({sql}) q");

    private static Question Many(Section section, string sql, bool needsStatistics = false) =>
        new(section, $"SELECT coalesce(json_agg(q), '[]')::text FROM ({sql}) q", needsStatistics);
}

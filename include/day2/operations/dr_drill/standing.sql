-- What a server is, how it is set, and what its role may do, in one row. Needs pg_monitor. Times are
-- seconds since 1970. `slots` are those that outlive their session and were not made by slot
-- synchronisation (17 and later), `senders` who follows it.
-- https://www.postgresql.org/docs/current/view-pg-replication-slots.html
select
    current_setting('server_version_num')::integer / 10000 as major,
    (select control.system_identifier::text from pg_catalog.pg_control_system() as control) as system,
    extract(epoch from clock_timestamp())::float as clock,
    (
        select jsonb_object_agg(each.name, each.setting)
        from pg_catalog.pg_settings as each
        where
            each.name in (
                'archive_mode', 'data_checksums', 'full_page_writes', 'hot_standby', 'primary_conninfo',
                'primary_slot_name', 'restore_command', 'synchronous_standby_names', 'wal_log_hints'
            )
    ) as settings,
    pg_catalog.pg_size_bytes(current_setting('wal_keep_size')) as wal_keep_bytes,
    pg_catalog.pg_size_bytes(current_setting('max_wal_size')) as max_wal_bytes,
    (select sum(pg_catalog.pg_database_size(each.oid)) from pg_catalog.pg_database as each)::bigint as cluster_bytes,
    (
        select extract(epoch from archiver.last_archived_time)::float
        from pg_catalog.pg_stat_archiver as archiver
    ) as archived,
    (
        select extract(epoch from archiver.last_failed_time)::float
        from pg_catalog.pg_stat_archiver as archiver
    ) as archive_failed,
    (select archiver.last_failed_wal from pg_catalog.pg_stat_archiver as archiver) as archive_failed_on,
    (
        select coalesce(jsonb_agg(to_jsonb(slot)), '[]')
        from pg_catalog.pg_replication_slots as slot
        where not slot.temporary and not coalesce((to_jsonb(slot) ->> 'synced')::boolean, false)
    ) as slots,
    (
        select coalesce(
            jsonb_agg(jsonb_build_object('name', sender.application_name, 'sync_state', sender.sync_state)), '[]'
        )
        from pg_catalog.pg_stat_replication as sender
        where sender.state = 'streaming'
    ) as senders,
    role.rolsuper or pg_catalog.has_function_privilege('pg_catalog.pg_promote(boolean, integer)', 'execute')
        as may_promote,
    role.rolsuper or role.rolreplication as may_replicate,
    pg_catalog.has_database_privilege(current_database(), 'create') as may_create,
    role.rolsuper or exists (
        select from pg_catalog.pg_roles as known
        where known.rolname = 'pg_checkpoint' and pg_catalog.pg_has_role(known.oid, 'usage')
    ) as may_checkpoint
from pg_catalog.pg_roles as role
where role.rolname = current_user

-- The server and this database in one row: who asks, since when is counted, and what needs no privilege.
-- `window`: after a crash PostgreSQL counts anew, and the background writer's reset time is the one that shows it.
-- https://www.postgresql.org/docs/current/monitoring-stats.html
select
    current_database() as database,
    current_user as role,
    quote_ident(current_user) as role_quoted,
    current_setting('server_version_num')::int / 10000 as version,
    pg_is_in_recovery() as standby,
    to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at,
    extract(epoch from now() - greatest(d.stats_reset, b.stats_reset))::float8 as window,
    pg_has_role('pg_read_all_stats', 'usage') as reads_stats,
    has_table_privilege('pg_catalog.pg_file_settings', 'select')
    and has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'execute') as reads_files,
    extract(epoch from now() - pg_postmaster_start_time())::float8 as up_seconds,
    current_setting('block_size')::int as block_size,
    d.blks_hit as blocks_hit, d.blks_read as blocks_read, d.temp_files, d.temp_bytes, d.deadlocks,
    d.xact_commit as commits, d.xact_rollback as rollbacks,
    pg_database_size(d.datid) as database_bytes,
    (select count(*) from pg_stat_activity a where a.backend_type = 'client backend') as connections,
    (select count(*) from pg_stat_activity a where a.backend_type = 'client backend' and a.state = 'idle') as idle,
    (select max(v.index_vacuum_count) from pg_stat_progress_vacuum v) as vacuum_index_passes,
    (select age(p.datfrozenxid) from pg_database p where p.oid = d.datid) as xid_age,
    (select mxid_age(p.datminmxid) from pg_database p where p.oid = d.datid) as mxid_age,
    w.wal_bytes::float8 as wal_bytes, w.wal_buffers_full,
    extract(epoch from now() - w.stats_reset)::float8 as wal_seconds,
    extract(epoch from now() - b.stats_reset)::float8 as checkpoint_seconds
from pg_stat_database d
cross join pg_stat_bgwriter b
cross join pg_stat_wal w
where d.datname = current_database()

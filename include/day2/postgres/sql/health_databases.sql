-- Each database that clients may use: its size, and counters since its statistics were reset.
select d.datname as part,
    case when has_database_privilege(d.datname, 'connect') or pg_has_role('pg_read_all_stats', 'usage')
        then pg_database_size(d.oid)::float end as database_bytes,
    xact_commit::float as commits,
    xact_rollback::float as rollbacks,
    blks_hit::float as blocks_hit,
    blks_read::float as blocks_read,
    deadlocks::float as deadlocks,
    temp_bytes::float as temporary_bytes,
    coalesce(checksum_failures, 0)::float as checksum_failures
from pg_stat_database as s join pg_database as d on d.oid = s.datid
where datallowconn and not datistemplate
order by d.datname

-- One row: sessions of clients that worked within the last `block` seconds, and those of them that began more than
-- `since` seconds ago. Privilege: pg_read_all_stats, or only our own role's are seen.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
select count(*) as working,
       count(*) filter (where extract(epoch from clock_timestamp() - a.backend_start) > %(since)s) as old
from pg_stat_activity a
where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
  and (a.state <> 'idle' or extract(epoch from clock_timestamp() - a.state_change) < %(block)s)

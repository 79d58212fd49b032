-- Checkpoints since the statistics were reset, up to PostgreSQL 16.
-- https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-PG-STAT-BGWRITER-VIEW
select checkpoints_timed as timed, checkpoints_req as requested from pg_stat_bgwriter

-- Checkpoints since the statistics were reset, from PostgreSQL 17 on.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-CHECKPOINTER-VIEW
select num_timed as timed, num_requested as requested from pg_stat_checkpointer

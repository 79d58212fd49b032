-- A row on a standby that receives: how it presents itself to its primary; passwords are masked by the server.
-- Privilege: pg_read_all_stats.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-WAL-RECEIVER-VIEW
select conninfo from pg_stat_wal_receiver where conninfo is not null

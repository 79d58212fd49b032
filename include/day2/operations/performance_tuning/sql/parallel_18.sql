-- Parallel workers that plans asked for and that there were, from PostgreSQL 18 on.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-DATABASE-VIEW
select parallel_workers_to_launch as parallel_wanted, parallel_workers_launched as parallel_launched
from pg_stat_database
where datname = current_database()

-- A row per table and partition with its counters and what bloat is estimated from. Privilege: none.
-- A table that somebody changes is not waited for: its size is then the one of its last vacuum.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW
with locked as materialized (
    select relation from pg_locks
    where mode = 'AccessExclusiveLock' and relation is not null
      and database = (select oid from pg_database where datname = current_database())
), vacuums as materialized (
    select relid from pg_stat_progress_vacuum where datname = current_database()
), attributes as materialized (
    select attrelid, count(*) as columns from pg_attribute where attnum > 0 and not attisdropped group by attrelid
)
select
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
    case when c.oid in (select relation from locked) then c.relpages::bigint * current_setting('block_size')::int
         else coalesce(pg_relation_size(c.oid), 0) end as bytes,
    c.oid in (select relation from locked) as locked, c.relpages as pages, c.reltuples::float8 as rows,
    coalesce(a.columns, 0) as columns,
    coalesce((select option_value::int from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'), 100)
        as fillfactor,
    coalesce((select jsonb_object_agg(option_name, option_value) from pg_options_to_table(c.reloptions)), '{}')
        as options,
    coalesce(s.n_live_tup, 0) as live, coalesce(s.n_dead_tup, 0) as dead,
    coalesce(s.n_mod_since_analyze, 0) as changed, coalesce(s.n_tup_ins, 0) as inserts,
    coalesce(s.n_tup_upd, 0) as updates, coalesce(s.n_tup_del, 0) as deletes,
    coalesce(s.seq_scan, 0) as seq_scans, coalesce(s.seq_tup_read, 0) as seq_rows,
    extract(epoch from now() - greatest(s.last_vacuum, s.last_autovacuum))::float8 as vacuumed_ago,
    extract(epoch from now() - greatest(s.last_analyze, s.last_autoanalyze))::float8 as analyzed_ago,
    age(c.relfrozenxid) as xid_age, mxid_age(c.relminmxid) as mxid_age,
    c.oid in (select relid from vacuums) as vacuum_runs
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
left join attributes a on a.attrelid = c.oid
where c.relkind in ('r', 'm') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by 1

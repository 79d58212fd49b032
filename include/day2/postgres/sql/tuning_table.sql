-- What vacuum and analyze change of a table. Privilege: none.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW
select pg_total_relation_size(c.oid)                                      as bytes,
       coalesce(s.n_dead_tup, 0)                                          as dead_rows,
       coalesce(s.n_mod_since_analyze, 0)                                 as modified_rows,
       age(c.relfrozenxid)                                                as transaction_age,
       extract(epoch from greatest(s.last_analyze, s.last_autoanalyze))::float as analyzed,
       extract(epoch from greatest(s.last_vacuum, s.last_autovacuum))::float   as vacuumed
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
where c.relkind in ('r', 'm') and c.relname = %(name)s
  and n.nspname = coalesce(nullif(%(schema)s, ''), n.nspname)

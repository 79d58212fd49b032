-- A row per index with its definition, what depends on it, and how often it was used. Privilege: none. Those of
-- a table that somebody has locked are left out: a definition is read under a lock, and would be waited for.
-- https://www.postgresql.org/docs/current/catalog-pg-index.html
with locked as materialized (
    select relation from pg_locks
    where mode = 'AccessExclusiveLock' and relation is not null
      and database = (select oid from pg_database where datname = current_database())
), keys as materialized (
    select i.indexrelid, k.place, i.indnkeyatts as wanted,
           case when k.number = 0 then '(expression)' else quote_ident(a.attname) end as name,
           case when k.place <= i.indnkeyatts then concat_ws(
               ' ', k.number, i.indclass[k.place - 1], i.indcollation[k.place - 1], i.indoption[k.place - 1]) end as shape
    from pg_index i
    cross join lateral unnest(i.indkey::int2[]) with ordinality as k (number, place)
    join pg_class t on t.oid = i.indrelid
    join pg_namespace n on n.oid = t.relnamespace
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number and k.number <> 0
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
), constraints as materialized (
    -- pg_constraint has no index by the index that a constraint stands on.
    select conindid, string_agg(conname, ', ' order by conname) as names
    from pg_constraint where conindid <> 0 group by conindid
), made as materialized (
    select relid, index_relid, command from pg_stat_progress_create_index
), combined as materialized (
    select indexrelid,
           coalesce(jsonb_agg(name order by place) filter (where place <= wanted), '[]') as keys,
           coalesce(jsonb_agg(name order by place) filter (where place > wanted), '[]') as includes,
           coalesce(jsonb_agg(shape order by place) filter (where place <= wanted), '[]') as shape
    from keys group by indexrelid
)
select
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
    quote_ident(n.nspname) || '.' || quote_ident(t.relname) as table,
    pg_get_indexdef(c.oid) as definition, m.amname as method, k.keys, k.includes, k.shape,
    coalesce(pg_relation_size(c.oid), 0) as bytes,
    c.relpages as pages, c.reltuples::float8 as rows,
    coalesce((select option_value::int from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'), 90)
        as fillfactor,
    coalesce(pg_stat_get_numscans(c.oid), 0) as scans,
    i.indisunique as unique,
    coalesce(o.names, '') as constraint,
    i.indisvalid and i.indisready and i.indislive as valid,
    exists (select from made p
            where p.index_relid = c.oid
               or (p.relid = t.oid and p.command like '%%CONCURRENTLY%%')) as building,
    i.indisreplident as replica_identity, i.indisclustered as clustered, c.relkind = 'I' as partitioned,
    c.relispartition as attached, i.indexprs is not null as expressions, i.indpred is not null as partial,
    coalesce(s.spcname, '') as tablespace
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_am m on m.oid = c.relam
join pg_class t on t.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
join combined k on k.indexrelid = i.indexrelid
left join constraints o on o.conindid = c.oid
left join pg_tablespace s on s.oid = c.reltablespace
where t.relpersistence <> 't'
  and t.oid not in (select relation from locked) and c.oid not in (select relation from locked)
order by c.oid

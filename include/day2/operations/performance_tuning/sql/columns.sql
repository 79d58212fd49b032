-- The columns of some tables, by schema and name as they are stored. Privilege: none.
select n.nspname as schema, c.relname as table, array_agg(a.attname::text) as columns
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'm') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and c.relname = any (%(names)s)
group by 1, 2

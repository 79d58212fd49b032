-- The storage parameters of a table, those of its TOAST table too. Privilege: none.
-- https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS
select (select array_agg(o order by o) from unnest(c.reloptions) as o) as options,
       (select array_agg(o order by o) from unnest(t.reloptions) as o) as toast_options
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_class t on t.oid = c.reltoastrelid
where c.relkind in ('r', 'm', 'p') and c.relname = %(name)s
  and n.nspname = coalesce(nullif(%(schema)s, ''), n.nspname)

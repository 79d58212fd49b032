-- A row if the index is there: whether it can be used, what it is, and its size. Privilege: none.
-- https://www.postgresql.org/docs/current/catalog-pg-index.html
select i.indisvalid and i.indisready and i.indislive as valid,
       pg_get_indexdef(i.indexrelid)                as definition,
       coalesce((select spcname from pg_tablespace where oid = c.reltablespace), '') as tablespace,
       pg_relation_size(i.indexrelid)               as bytes
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where c.relname = %(name)s
  and n.nspname = coalesce(nullif(%(schema)s, ''), n.nspname)

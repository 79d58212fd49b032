-- A row per index that can be used and that no constraint needs: name in quotes where it needs them. Privilege: none.
-- https://www.postgresql.org/docs/current/catalog-pg-index.html
select format('%%I.%%I', n.nspname, c.relname) as name, pg_get_indexdef(c.oid) as definition
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where i.indisvalid and c.relkind = 'i' and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and not exists (select from pg_constraint as o where o.conindid = c.oid)
order by 1

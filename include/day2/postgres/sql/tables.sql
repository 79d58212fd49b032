-- A row per table with rows of its own (leaf partitions, no foreign tables, nothing an extension owns).
-- Takes no lock on any of them. Privilege: none to list; `readable` says whether our role may read it.
select n.nspname as schema_name, c.relname as name, c.relpersistence = 'u' as unlogged,
       has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT') as readable,
       c.relrowsecurity as row_security, c.relispartition as partition
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and not exists (select from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2

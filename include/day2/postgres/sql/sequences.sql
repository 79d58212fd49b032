-- A row per sequence, with its step. Privilege: SELECT or USAGE on the sequence; `readable` says whether we have it.
select n.nspname as schema_name, c.relname as name,
       has_schema_privilege(n.oid, 'USAGE') and has_sequence_privilege(c.oid, 'SELECT') as readable,
       s.seqincrement as increment
from pg_class c
join pg_sequence s on s.seqrelid = c.oid
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema')
order by 1, 2

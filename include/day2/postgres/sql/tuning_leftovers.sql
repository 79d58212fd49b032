-- A row per index that cannot be used and that nobody builds now. Privilege: pg_read_all_stats sees every build.
-- https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
select n.nspname as schema_name, c.relname as name, t.relname as table_name,
       pg_get_indexdef(c.oid) as definition, pg_relation_size(c.oid) as bytes,
       format('DROP INDEX CONCURRENTLY %%I.%%I', n.nspname, c.relname) as remedy
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class t on t.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and c.relkind = 'i'
  and not exists (select from pg_stat_progress_create_index as p
                   where p.datid = (select oid from pg_database where datname = current_database())
                     and (p.index_relid = i.indexrelid or p.relid = i.indrelid))
order by 1, 2

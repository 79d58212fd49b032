-- A row if pg_stat_statements is installed here: its schema, and whether the server loads it. Privilege: none.
select n.nspname as schema_name, e.extversion as version,
       current_setting('pg_stat_statements.track', true) as tracked
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'pg_stat_statements'

-- A row per installed extension. Privilege: none.
select extname as name, extversion as version from pg_extension order by 1

-- A row per extension this server could install. Privilege: none.
select name from pg_available_extensions order by 1

-- A row per role that is not PostgreSQL's own. Privilege: none.
select rolname as name from pg_roles where rolname !~ '^pg_' order by 1

-- A row per installed extension whose version is not what the server's files now offer as default. `reachable`:
-- there are scripts from one to the other. `may_update`: our role is its owner. Privilege: none.
-- https://www.postgresql.org/docs/current/sql-alterextension.html
select e.extname as name, e.extversion as installed, a.default_version as available, n.nspname as schema,
       pg_get_userbyid(e.extowner) as owner, pg_has_role(e.extowner, 'usage') as may_update,
       exists (select from pg_extension_update_paths(e.extname) p
               where p.source = e.extversion and p.target = a.default_version and p.path is not null) as reachable
from pg_extension e
join pg_available_extensions a on a.name = e.extname
join pg_namespace n on n.oid = e.extnamespace
where a.default_version is not null and a.default_version <> e.extversion
order by e.extname

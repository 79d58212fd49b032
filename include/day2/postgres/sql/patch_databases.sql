-- A row per database that accepts connections, templates too: what a template holds, new databases get. One whose
-- removal was interrupted is not, it can only be dropped. Privilege: none.
-- https://www.postgresql.org/docs/current/catalog-pg-database.html
select d.datname as name, has_database_privilege(d.oid, 'CONNECT') as may_connect
from pg_database d
where d.datallowconn and d.datconnlimit <> -2
order by d.datname

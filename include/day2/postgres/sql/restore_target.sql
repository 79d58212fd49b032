-- One row: the server a restore goes to, and what our role may do there. Privilege: none beyond connecting.
-- https://www.postgresql.org/docs/current/view-pg-roles.html
select current_setting('server_version')                  as version,
       current_setting('server_version_num')::int         as version_num,
       pg_is_in_recovery()                                as in_recovery,
       current_database()                                 as connected_to,
       r.rolsuper                                         as is_superuser,
       r.rolcreatedb or r.rolsuper                        as may_create_databases,
       r.rolcreaterole or r.rolsuper                      as may_create_roles,
       r.rolsuper or pg_has_role('pg_signal_backend', 'MEMBER') as may_end_sessions,
       (select count(*) from pg_database)                 as databases
from pg_roles r
where r.rolname = current_user

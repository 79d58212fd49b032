-- A row per database that a restore is building or has left half-made: its mark, and whether its maker still
-- has a session. Privilege: being the role that made them, or pg_read_all_stats.
select d.datname as name, shobj_description(d.oid, 'pg_database') as mark,
       exists (select from pg_stat_activity a
               where a.application_name <> ''
                 and shobj_description(d.oid, 'pg_database') like '%%' || a.application_name || '%%'
                 and a.application_name like 'day2-restore-%%') as alive
from pg_database d
where shobj_description(d.oid, 'pg_database') like 'day2-restore-%%'

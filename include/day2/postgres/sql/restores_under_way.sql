-- A row per database of ours that a restore is building or has left half-made, and whether its maker has a session.
-- Privilege: being the role that made them, which sees its own sessions.
select d.datname as name, mark,
       exists (select from pg_stat_activity a where a.application_name = split_part(mark, ' ', 1)) as alive
from pg_database d, shobj_description(d.oid, 'pg_database') as mark
where mark like 'day2-restore-%%' and pg_get_userbyid(d.datdba) = current_user

-- A row per database of ours that a restore is building or has left half-made, by its name; and whether its maker,
-- who says so in application_name before making it, still has a session.
-- Privilege: being the role that made them, which sees its own sessions.
select d.datname as name,
       exists (select from pg_stat_activity a
               where a.application_name = 'day2-restore-' || substring(d.datname from '_day2_([^_]+_[^_]+)$')) as alive
from pg_database d
where d.datname ~ '_day2_[0-9]{8}T[0-9]{6}Z_[0-9a-f]{8}$' and pg_get_userbyid(d.datdba) = current_user

-- A row per session of these databases that was told to end. Privilege: pg_signal_backend, or being the same role.
-- In the select list on purpose: a condition may be evaluated for rows that the other conditions exclude.
select pg_terminate_backend(a.pid) as ended
from pg_stat_activity a
where a.datname = any(%(names)s)

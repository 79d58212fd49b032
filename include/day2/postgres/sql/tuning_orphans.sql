-- A row per session of an earlier run of ours that still works in this database. Privilege: none, they are our own role's.
select a.pid, a.query
from pg_stat_activity a
where a.datname = current_database() and a.usename = current_user
  and a.application_name = %(name)s and a.pid <> pg_backend_pid()

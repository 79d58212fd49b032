-- Open transactions, longest first, and prepared ones. Privilege: pg_read_all_stats, else others' are hidden.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
select pid, coalesce(usename, '') as user, coalesce(application_name, '') as application, state,
       extract(epoch from now() - xact_start)::float8 as seconds,
       coalesce(greatest(age(backend_xid), age(backend_xmin)), 0) as xid_age, left(query, 500) as query
from pg_stat_activity
where xact_start is not null and backend_type = 'client backend' and pid <> pg_backend_pid()
union all
select null, owner, gid, 'prepared', extract(epoch from now() - prepared)::float8, age(transaction), ''
from pg_prepared_xacts
order by seconds desc
limit 100

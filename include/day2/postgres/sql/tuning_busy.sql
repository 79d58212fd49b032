-- One row: how busy the server is, and who would keep a change waiting. Privilege: pg_read_all_stats, or the sessions
-- of others have no state (`hidden`). https://www.postgresql.org/docs/current/monitoring-stats.html
select pg_is_in_recovery()                                                as standby,
       current_setting('transaction_read_only') = 'on'                    as read_only,
       count(*) filter (where a.state = 'active')                         as active,
       count(*) filter (where a.state is null)                            as hidden,
       coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::float as oldest_seconds,
       (array_agg(format('pid %%s of %%s, application %%s', a.pid, a.usename, a.application_name)
                  order by a.xact_start) filter (where a.xact_start is not null))[1] as oldest
from pg_stat_activity a
where coalesce(a.backend_type, 'client backend') = 'client backend' and a.pid <> pg_backend_pid()

-- One row: the counters of this database, and when they began. Privilege: pg_read_all_stats, or only our own
-- statements have ids. `statements`: user, query id, whether it was top level, calls, milliseconds, blocks, WAL records;
-- not our own look. The extension's schema must be on the search path; 1.9 (PostgreSQL 14) or newer.
-- https://www.postgresql.org/docs/current/pgstatstatements.html
select extract(epoch from clock_timestamp())::float                       as seconds,
       pg_postmaster_start_time()::text                                   as started,
       coalesce(i.stats_reset::text, '')                                  as reset,
       i.dealloc                                                          as evictions,
       d.xact_commit                                                      as commits,
       d.xact_rollback                                                    as rollbacks,
       d.deadlocks                                                        as deadlocks,
       d.temp_bytes                                                       as temp_bytes,
       (select count(*) from pg_stat_statements(false) as hidden
         where hidden.dbid = d.datid and hidden.queryid is null)          as hidden,
       (select coalesce(jsonb_agg(jsonb_build_array(
                   s.userid::bigint, s.queryid::text, s.toplevel, s.calls, s.total_exec_time,
                   s.shared_blks_hit + s.shared_blks_read + s.local_blks_hit + s.local_blks_read
                   + s.temp_blks_read + s.temp_blks_written, s.wal_records)), '[]')
          from pg_stat_statements(false) as s
         where s.dbid = d.datid and s.calls > 0
           and s.queryid is distinct from
               (select a.query_id from pg_stat_activity as a where a.pid = pg_backend_pid())) as statements
from pg_stat_statements_info as i, pg_stat_database as d
where d.datname = current_database()

-- The statements of this database that took most time: of all users together, a text cut with its length told.
-- `seen` counts all of them; `work_ms` is the time of those that clients wait for (no COPY, VACUUM, CREATE INDEX);
-- `hidden`: others', without a text, for lack of pg_read_all_stats.
-- https://www.postgresql.org/docs/current/pgstatstatements.html
with of_this as materialized (
    select s.queryid, min(s.query) as query, sum(s.calls)::bigint as calls, sum(s.total_exec_time) as total_ms,
           sum(s.rows)::bigint as rows, sum(s.shared_blks_hit + s.shared_blks_read)::bigint as blocks,
           sum(s.temp_blks_written)::bigint as temp_blocks, sum(s.wal_bytes)::bigint as wal_bytes
    from {schema}.pg_stat_statements s
    where s.dbid = (select oid from pg_database where datname = current_database())
    group by s.queryid
)
select queryid as query_id, left(query, %(cut)s) as text, length(query) as length, calls, total_ms, rows, blocks,
       temp_blocks, wal_bytes, count(*) over () as seen,
       sum(total_ms) filter (where query ~* '^[\s(]*(select|insert|update|delete|with|merge)\M') over () as work_ms,
       queryid is null as hidden
from of_this
order by queryid is null desc, total_ms desc
limit %(most)s

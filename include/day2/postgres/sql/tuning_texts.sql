-- A row per statement that was asked for: the beginning of its text, on one line. Privilege: pg_read_all_stats.
-- https://www.postgresql.org/docs/current/pgstatstatements.html
select distinct on (queryid) queryid, left(regexp_replace(query, '\s+', ' ', 'g'), 500) as text
from pg_stat_statements
where queryid = any(%(queryids)s) and dbid = (select oid from pg_database where datname = current_database())
order by queryid

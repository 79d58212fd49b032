-- A row per statement that was asked for: the beginning of its text, on one line. Of a command that is no query only
-- its first word, as PostgreSQL keeps its constants: a password, for one. Privilege: pg_read_all_stats.
-- https://www.postgresql.org/docs/current/pgstatstatements.html
select distinct on (queryid) queryid,
       case when query ~* '^(\s|\(|/\*.*?\*/)*(select|insert|update|delete|merge|with|values)\y'
            then left(regexp_replace(query, '\s+', ' ', 'g'), 500)
            else split_part(ltrim(query), ' ', 1) || ' …'
       end as text
from pg_stat_statements
where queryid = any(%(queryids)s) and dbid = (select oid from pg_database where datname = current_database())
order by queryid

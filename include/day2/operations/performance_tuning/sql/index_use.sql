-- How often each index was used here, and since when that is counted: for a standby. Privilege: none.
select quote_ident(s.schemaname) || '.' || quote_ident(s.indexrelname) as name, s.idx_scan as scans,
       extract(epoch from now() - greatest(d.stats_reset, b.stats_reset))::float8 as window
from pg_stat_bgwriter b
join pg_stat_database d on d.datname = current_database()
left join pg_stat_user_indexes s on true

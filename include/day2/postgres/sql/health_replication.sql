-- On a primary: each standby that follows, and what each slot keeps. A slot that nobody reads fills the disk.
select application_name as part,
    pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float as standby_behind_bytes,
    coalesce(extract(epoch from replay_lag), 0)::float as standby_behind_seconds,
    null::float as slot_retained_bytes
from pg_stat_replication
where not pg_is_in_recovery() and state = 'streaming'
union all
select slot_name, null, null, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float
from pg_replication_slots
where not pg_is_in_recovery() and restart_lsn is not null
order by part

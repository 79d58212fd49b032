-- Replication slots and the write-ahead log that each keeps. Privilege: none.
-- https://www.postgresql.org/docs/current/view-pg-replication-slots.html
select slot_name as name, slot_type as kind, active, coalesce(wal_status, '') as wal_status,
       coalesce(greatest(pg_wal_lsn_diff(
           case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
           restart_lsn), 0), 0)::bigint as retained_bytes,
       coalesce(greatest(age(xmin), age(catalog_xmin)), 0) as xid_age
from pg_replication_slots
where not temporary
order by 1

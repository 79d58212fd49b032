-- The server as a whole: one row. What the role may not see is null: a gap, never a zero.
with limits as (
    select current_setting('max_connections')::float - current_setting('superuser_reserved_connections')::float as places
), sessions as (
    select count(*) filter (where backend_type = 'client backend') as clients,
        count(*) filter (where backend_type = 'client backend' and state = 'active') as active,
        count(*) filter (where wait_event_type = 'Lock') as waiting,
        extract(epoch from clock_timestamp() - min(xact_start) filter (where backend_type = 'client backend'
            and pid <> pg_backend_pid()))::float as oldest
    from pg_stat_activity
), ages as (
    select max(age(datfrozenxid))::float as xids, max(mxid_age(datminmxid))::float as mxids from pg_database
), wal as (
    select pg_is_in_recovery() as standby,
        pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
            '0/0')::float as position
)
select
    extract(epoch from clock_timestamp())::float as at,
    extract(epoch from pg_postmaster_start_time())::float as started,
    wal.standby,
    100 * sessions.clients / limits.places as connections_percent,
    sessions.clients::float as connections,
    sessions.active::float as connections_active,
    sessions.waiting::float as lock_waits,
    coalesce(sessions.oldest, 0) as oldest_transaction_seconds,
    100 * ages.xids / 2147483648 as xid_age_percent,
    100 * ages.mxids / 2147483648 as multixact_age_percent,
    wal.position as wal_bytes,
    case when wal.standby and pg_last_wal_receive_lsn() is distinct from pg_last_wal_replay_lsn()
        then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float
        when wal.standby then 0 end as replay_lag_seconds
from limits, sessions, ages, wal

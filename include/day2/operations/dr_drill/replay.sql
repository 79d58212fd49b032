-- How far a standby has got with what it received, in one row. Needs pg_monitor. `idle` is whether the
-- replay waits for more WAL. It does so also for a moment when the sender is gone and before it looks at
-- what it received last: at most `retry_seconds`. (Of a receiver that is gone, `RecoveryWalStream` is an
-- old answer: the process has not run since.) `receives` is whether a receiver is connected: what it got is
-- written and counted in `received` before it ends.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE
select
    -- First: what a receiver that is gone by now has received is final.
    exists (select from pg_catalog.pg_stat_wal_receiver as receiver where receiver.pid is not null) as receives,
    pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), '0/0')::bigint as received,
    pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::bigint as replayed,
    pg_catalog.pg_get_wal_replay_pause_state() as pause_state,
    to_char(
        pg_catalog.pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    ) as last_commit,
    -- Of a standby that has not replayed a commit since its start, that start.
    extract(
        epoch from
        clock_timestamp()
        - coalesce(pg_catalog.pg_last_xact_replay_timestamp(), pg_catalog.pg_postmaster_start_time())
    )::float as since_last_commit,
    exists (
        select from pg_catalog.pg_stat_activity as activity
        where
            activity.backend_type = 'startup'
            and (
                activity.wait_event = 'RecoveryRetrieveRetryInterval'
                or (
                    activity.wait_event in ('RecoveryWalStream', 'RecoveryWalAll')
                    and exists (select from pg_catalog.pg_stat_wal_receiver as receiver where receiver.pid is not null)
                )
            )
    ) as idle,
    (
        select setting.setting::float / 1000
        from pg_catalog.pg_settings as setting
        where setting.name = 'wal_retrieve_retry_interval'
    ) as retry_seconds

-- What a server is doing now, in one row. Needs pg_monitor (for pg_stat_wal_receiver) and may be asked of
-- a primary and of a standby. The timeline is that of what is written or replayed now: the checkpoint's
-- still shows the old one after a promotion.
-- https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-INFO-TABLE
select
    pg_catalog.pg_is_in_recovery() as standby,
    case
        when pg_catalog.pg_is_in_recovery()
            then
                greatest(
                    receiver.received_tli,
                    (select checkpoint.timeline_id from pg_catalog.pg_control_checkpoint() as checkpoint),
                    (select recovery.min_recovery_end_timeline from pg_catalog.pg_control_recovery() as recovery)
                )
        else
            ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::integer
    end as timeline,
    pg_catalog.pg_wal_lsn_diff(
        case
            when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
            else pg_catalog.pg_current_wal_lsn()
        end,
        '0/0'
    )::bigint as lsn,
    receiver.status = 'streaming' as streaming,
    receiver.sender_host,
    receiver.sender_port,
    receiver.slot_name
from (values (true)) as always (row)
left join pg_catalog.pg_stat_wal_receiver as receiver on always.row

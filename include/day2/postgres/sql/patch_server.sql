-- One row: what a restart for a new minor version ends, and what must be there again after it. Privilege: none, but
-- without pg_monitor who follows, the transactions of others and waiting settings are not seen (`sees_all`).
-- Whoever only copies the server now (pg_basebackup) is not expected back.
-- https://www.postgresql.org/docs/current/monitoring-stats.html
select split_part(current_setting('server_version'), ' ', 1)              as version,
       current_setting('server_version_num')::int                         as version_num,
       (select system_identifier::text from pg_control_system())          as system_identifier,
       extract(epoch from pg_postmaster_start_time())::float              as started,
       pg_is_in_recovery()                                                as standby,
       current_setting('data_checksums') = 'on'                           as checksums,
       (select sum(checksum_failures) from pg_stat_database)::bigint      as checksum_failures,
       pg_has_role('pg_read_all_stats', 'usage')                          as sees_all,
       (select coalesce(jsonb_agg(jsonb_build_object(
                   'name', s.application_name, 'address', host(s.client_addr), 'state', s.state,
                   'sync_state', s.sync_state,
                   'lag_bytes', pg_wal_lsn_diff(
                       case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
                       s.replay_lsn)::bigint)
                   order by s.application_name, s.client_addr, s.pid), '[]')
          from pg_stat_replication s
         where s.state is distinct from 'backup')                         as standbys,
       current_setting('synchronous_standby_names')                       as synchronous_standby_names,
       (select r.status from pg_stat_wal_receiver r)                      as receiving,
       (select count(*) from pg_stat_activity a
         where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()) as sessions,
       (select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::float
          from pg_stat_activity a
         where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()) as longest_transaction_seconds,
       (select count(*) from pg_prepared_xacts)                           as prepared_transactions,
       (select coalesce(jsonb_agg(name order by name), '[]') from pg_settings
         where pending_restart)                                           as pending_restart,
       has_function_privilege('pg_show_all_file_settings()', 'execute')   as may_read_files

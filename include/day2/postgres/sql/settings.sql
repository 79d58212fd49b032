-- Settings a copy needs to start and to mean the same. Privilege: none.
select name, setting from pg_settings
where name in ('shared_preload_libraries', 'max_connections', 'max_worker_processes', 'max_prepared_transactions',
               'max_locks_per_transaction', 'max_wal_senders', 'wal_segment_size', 'block_size', 'track_commit_timestamp')
order by 1

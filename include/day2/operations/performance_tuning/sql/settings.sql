-- Settings that the rules look at. Those that our own session pins cannot be known from it, and are left out.
-- https://www.postgresql.org/docs/current/view-pg-settings.html
select name, setting as value, coalesce(unit, '') as unit, context, source, coalesce(boot_val, '') as default,
       coalesce(sourcefile, '') as file, pending_restart
from pg_settings
where source not in ('client', 'session')
  and (pending_restart or name in (
    'autovacuum', 'autovacuum_analyze_scale_factor', 'autovacuum_analyze_threshold', 'autovacuum_freeze_max_age',
    'autovacuum_max_workers', 'autovacuum_multixact_freeze_max_age', 'autovacuum_naptime',
    'autovacuum_vacuum_cost_delay', 'autovacuum_vacuum_scale_factor', 'autovacuum_vacuum_threshold',
    'autovacuum_work_mem', 'checkpoint_timeout', 'effective_cache_size', 'hash_mem_multiplier',
    'idle_in_transaction_session_timeout', 'idle_session_timeout', 'maintenance_work_mem', 'max_connections',
    'max_parallel_workers', 'max_parallel_workers_per_gather', 'max_slot_wal_keep_size', 'max_wal_size',
    'max_worker_processes', 'random_page_cost', 'seq_page_cost', 'shared_buffers', 'shared_preload_libraries',
    'superuser_reserved_connections', 'temp_file_limit', 'track_counts', 'wal_buffers', 'work_mem'
  ))
order by name

-- One row: what this server is, and what our role may do. Privilege: none beyond connecting.
-- https://www.postgresql.org/docs/current/functions-info.html
select current_setting('server_version')                              as version,
       current_setting('server_version_num')::int                     as version_num,
       (select system_identifier::text from pg_control_system())      as system_identifier,
       (select timeline_id from pg_control_checkpoint())              as timeline,
       current_setting('data_checksums') = 'on'                       as data_checksums,
       pg_is_in_recovery()                                            as in_recovery,
       (select rolname from pg_roles where oid = 10)                  as superuser,
       r.rolsuper                                                     as is_superuser,
       r.rolreplication or r.rolsuper                                 as may_replicate,
       r.rolbypassrls or r.rolsuper                                   as bypasses_rls,
       case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text as lsn,
       now()                                                          as at,
       current_setting('max_wal_senders')::int                        as max_wal_senders,
       (select count(*) from pg_stat_replication)                     as wal_senders_used,
       (select sum(pg_database_size(oid)) from pg_database
         where has_database_privilege(oid, 'CONNECT'))::bigint        as cluster_bytes,
       pg_database_size(current_database())                           as database_bytes,
       (select count(*) from pg_tablespace
         where spcname not in ('pg_default', 'pg_global'))            as extra_tablespaces
from pg_roles r
where r.rolname = current_user

-- A row if the database `%(name)s` is there: what a restore in its place meets. Privilege: pg_read_all_stats to
-- count sessions of other roles by what they do; their number is visible to all.
-- https://www.postgresql.org/docs/current/catalog-pg-database.html
select pg_database_size(d.oid)                                         as bytes,
       pg_has_role(d.datdba, 'MEMBER')                                 as owned,
       d.datistemplate                                                 as is_template,
       (select count(*) from pg_stat_activity a
         where a.datid = d.oid and a.pid <> pg_backend_pid())          as sessions,
       (select count(*) from pg_prepared_xacts p
         where p.database = d.datname)                                 as prepared_transactions,
       (select count(*) from pg_replication_slots s
         where s.database = d.datname)                                 as logical_slots,
       (select count(*) from pg_subscription s
         where s.subdbid = d.oid)                                      as subscriptions
from pg_database d
where d.datname = %(name)s

-- Where pg_stat_statements is: its schema here (none: not created), whether its library is loaded, whether the
-- server has its files. Privilege: none.
select
    (select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'pg_stat_statements') as schema,
    exists (select from pg_settings where name = 'pg_stat_statements.max') as loaded,
    exists (select from pg_available_extensions where name = 'pg_stat_statements') as available

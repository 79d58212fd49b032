-- Whether HypoPG is created here (its schema), or could be. https://hypopg.readthedocs.io
select
    (select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'hypopg') as schema,
    exists (select from pg_available_extensions where name = 'hypopg') as available

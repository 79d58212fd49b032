-- The mean width of each column's values, by table: asked once, for tables and for indexes. Privilege: SELECT on the
-- columns; those of others are missing. `nullable`: some column has nulls.
-- https://www.postgresql.org/docs/current/view-pg-stats.html
select
    quote_ident(schemaname) || '.' || quote_ident(tablename) as name,
    jsonb_object_agg(quote_ident(attname), (1 - null_frac) * avg_width) as columns, max(null_frac) > 0 as nullable
from pg_stats
where not inherited
group by schemaname, tablename

-- A row per collation of this database whose rules the operating system has changed since they were recorded, and
-- the indexes sorted by the old ones. Only those that a column uses: a server with ICU has 800 more that nobody does.
-- Privilege: none.
-- https://www.postgresql.org/docs/current/sql-altercollation.html#SQL-ALTERCOLLATION-NOTES
select n.nspname as schema, c.collname as name, c.collversion as recorded, pg_collation_actual_version(c.oid) as actual,
       (select coalesce(jsonb_agg(jsonb_build_object('schema', s.nspname, 'name', r.relname,
                                                     'bytes', pg_relation_size(r.oid),
                                                     'alone', i.indisexclusion)
                                  order by s.nspname, r.relname), '[]')
          from pg_index i
          join pg_class r on r.oid = i.indexrelid and r.relkind = 'i' and r.relpersistence <> 't'
          join pg_namespace s on s.oid = r.relnamespace
         where c.oid = any(i.indcollation::oid[])) as indexes
from pg_collation c
join pg_namespace n on n.oid = c.collnamespace
where c.collversion is not null and c.collversion is distinct from pg_collation_actual_version(c.oid)
  and c.oid in (select a.attcollation from pg_attribute a)
order by 1, 2

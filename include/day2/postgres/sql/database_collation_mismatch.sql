-- A row if the rules of this database's own collation were changed by the operating system, with the indexes sorted
-- by the old ones. Recorded since version 15. 100 is the collation "default". Privilege: none.
-- https://www.postgresql.org/docs/current/sql-alterdatabase.html#SQL-ALTERDATABASE-NOTES
select d.datcollversion as recorded, pg_database_collation_actual_version(d.oid) as actual,
       (select coalesce(jsonb_agg(jsonb_build_object('schema', s.nspname, 'name', r.relname,
                                                     'bytes', pg_relation_size(r.oid),
                                                     'alone', i.indisexclusion)
                                  order by s.nspname, r.relname), '[]')
          from pg_index i
          join pg_class r on r.oid = i.indexrelid and r.relkind = 'i' and r.relpersistence <> 't'
          join pg_namespace s on s.oid = r.relnamespace
         where 100 = any(i.indcollation::oid[])) as indexes
from pg_database d
where d.datname = current_database() and d.datcollversion is not null
  and d.datcollversion is distinct from pg_database_collation_actual_version(d.oid)

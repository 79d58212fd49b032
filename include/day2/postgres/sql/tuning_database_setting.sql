-- What one database sets for all its new sessions. Privilege: none.
-- https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
select split_part(each.entry, '=', 1)                                as name,
       substr(each.entry, strpos(each.entry, '=') + 1)               as value
from pg_db_role_setting s
join pg_database d on d.oid = s.setdatabase
cross join lateral unnest(s.setconfig) as each(entry)
where d.datname = %(schema)s and s.setrole = 0
  and lower(split_part(each.entry, '=', 1)) = lower(%(name)s)

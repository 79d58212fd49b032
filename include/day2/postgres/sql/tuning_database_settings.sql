-- A row per setting that this database sets for all its sessions. Privilege: none.
-- https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
select split_part(each.entry, '=', 1) as name, substr(each.entry, strpos(each.entry, '=') + 1) as value
from pg_db_role_setting s
cross join lateral unnest(s.setconfig) as each(entry)
where s.setdatabase = (select oid from pg_database where datname = current_database()) and s.setrole = 0
order by 1

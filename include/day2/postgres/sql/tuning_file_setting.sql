-- What stands in the configuration files for a setting, the last one counts. Privilege: EXECUTE on
-- pg_show_all_file_settings(). https://www.postgresql.org/docs/current/view-pg-file-settings.html
select f.setting as value, f.sourcefile as file
from pg_show_all_file_settings() as f
where lower(f.name) = lower(%(name)s)
order by f.seqno

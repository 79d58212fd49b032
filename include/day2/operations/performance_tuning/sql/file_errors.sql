-- Lines of the configuration files that the server could not take over: the next start may fail by them.
-- Privilege: SELECT on pg_file_settings and EXECUTE on pg_show_all_file_settings().
-- https://www.postgresql.org/docs/current/view-pg-file-settings.html
select coalesce(name, 'line') || ' (' || sourcefile || ', line ' || sourceline || '): ' || error as error
from pg_file_settings
where error is not null and error <> 'setting could not be applied'
order by 1

-- A row per line of the configuration files that the next start would refuse. A setting that only waits for a
-- restart is not one. Privilege: execute on pg_show_all_file_settings(), which superusers have.
-- https://www.postgresql.org/docs/current/view-pg-file-settings.html
select sourcefile as file, sourceline as line, coalesce(name, '') as name, error
from pg_file_settings
where error is not null and error <> 'setting could not be applied'
order by 1, 2

-- The setting's value and where it comes from. Privilege: none for the value; pg_read_all_settings for the file.
-- https://www.postgresql.org/docs/current/view-pg-settings.html
select setting as value, source, sourcefile as file, context, pending_restart
from pg_settings
where lower(name) = lower(%(name)s)

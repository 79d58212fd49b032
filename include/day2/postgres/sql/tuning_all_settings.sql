-- A row per setting that somebody set for the whole server. Privilege: pg_read_all_settings for `file`, else null.
-- What our own session sets for itself is not seen. https://www.postgresql.org/docs/current/view-pg-settings.html
select name, setting as value, boot_val as default, context,
       coalesce(sourcefile like '%%/postgresql.auto.conf', false) as altered_system
from pg_settings
where source in ('configuration file', 'command line', 'environment variable')
  and name not in ('config_file', 'data_directory', 'hba_file', 'ident_file', 'external_pid_file', 'port')
order by name

-- The setting's value and where it comes from. Privilege: none for the value; pg_read_all_settings for the file,
-- EXECUTE on pg_show_all_file_settings() for what stands in it.
-- https://www.postgresql.org/docs/current/view-pg-settings.html
select s.setting as value, s.source, s.sourcefile as file, s.context, s.pending_restart,
       has_function_privilege('pg_show_all_file_settings()', 'execute') as file_seen,
       case when has_function_privilege('pg_show_all_file_settings()', 'execute')
            then (select jsonb_agg(f.setting order by f.seqno) from pg_show_all_file_settings() as f
                   where lower(f.name) = lower(s.name))
       end as file_value
from pg_settings s
where lower(s.name) = lower(%(name)s)

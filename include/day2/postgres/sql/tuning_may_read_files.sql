-- Whether this role may read what stands in the configuration files. Privilege: none.
select has_function_privilege('pg_show_all_file_settings()', 'execute') as may

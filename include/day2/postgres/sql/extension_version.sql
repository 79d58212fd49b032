-- A row if the extension is installed: its version. Privilege: none.
select extversion as version from pg_extension where extname = %(name)s

-- A row per extension whose files are on this server's host: the version they would install. Privilege: none.
-- https://www.postgresql.org/docs/current/view-pg-available-extensions.html
select name, default_version as version from pg_available_extensions where default_version is not null

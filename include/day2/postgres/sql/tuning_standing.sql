-- One row: since when the server runs, and how many settings wait for its next start. Privilege: none.
-- https://www.postgresql.org/docs/current/view-pg-settings.html
select pg_postmaster_start_time()::text as started,
       (select count(*) from pg_settings where pending_restart) as pending

-- The demo's source databases and the role that backs them up. Runs once, when the server is made.

\getenv backup_password DEMO_BACKUP_PASSWORD

CREATE ROLE shop_app NOLOGIN;
-- What a backup needs, and no more: rows behind row security, and large objects, which pg_read_all_data
-- does not cover.
CREATE ROLE day2_backup LOGIN REPLICATION BYPASSRLS PASSWORD :'backup_password';
GRANT pg_read_all_data, pg_monitor TO day2_backup;
ALTER ROLE day2_backup SET lo_compat_privileges = on;

CREATE DATABASE orders;
CREATE DATABASE billing;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE orders, billing TO day2_backup;

\connect orders
BEGIN;
SET LOCAL day2.scale = 1;
\i /seed/orders.sql
COMMIT;
ANALYZE;

\connect billing
BEGIN;
SET LOCAL day2.scale = 1;
\i /seed/billing.sql
COMMIT;
ANALYZE;

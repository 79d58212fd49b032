-- The platform's databases and roles. Runs once, when the server is made; passwords come from its environment.
-- Airflow's metadata and the ledger are apart: neither role may connect to the other's database.

\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv owner_password LEDGER_OWNER_PASSWORD
\getenv app_password LEDGER_APP_PASSWORD

CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;

-- The owner changes the schema; the application appends and reads (day2.ledger.migrate grants it that).
CREATE ROLE day2_ledger_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE day2_ledger_app LOGIN PASSWORD :'app_password';
CREATE DATABASE day2_ledger OWNER day2_ledger_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE day2_ledger FROM PUBLIC;
GRANT CONNECT ON DATABASE day2_ledger TO day2_ledger_app;

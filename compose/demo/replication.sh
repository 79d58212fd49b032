# `all` in pg_hba.conf does not cover replication connections, and a physical copy is one.
echo "host replication day2_backup all scram-sha-256" >> "$PGDATA/pg_hba.conf"

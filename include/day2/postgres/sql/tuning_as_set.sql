-- The value as PostgreSQL keeps it, in its own unit: '4096kB' and '4MB' are the same. Privilege: to set it.
select setting as value from pg_settings where lower(name) = lower(%(name)s)

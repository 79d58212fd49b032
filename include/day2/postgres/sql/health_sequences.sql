-- How much of the fullest sequence of this database is used up: after the last value every insert fails. One row.
-- https://www.postgresql.org/docs/current/view-pg-sequences.html
select current_database()::text as part,
    coalesce(max(100 * last_value::float / max_value::float), 0) as sequence_percent
from pg_sequences
where increment_by > 0 and not cycle

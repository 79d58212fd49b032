-- A row per base backup under way. Privilege: pg_read_all_stats, or being its user.
-- https://www.postgresql.org/docs/current/progress-reporting.html#BASEBACKUP-PROGRESS-REPORTING
select coalesce(sum(backup_streamed), 0)::bigint as streamed, coalesce(sum(backup_total), 0)::bigint as total
from pg_stat_progress_basebackup
having count(*) > 0

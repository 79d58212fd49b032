-- A report that was begun and forgotten: nothing that died since can be removed.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM bazaar.tickets;
\sleep 86400 s
COMMIT;

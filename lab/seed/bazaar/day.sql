-- The orders of half a day: with a bad random_page_cost it reads all of them.
\set first random(0, 119000)
\set last :first + 360
SELECT count(*), sum(total) FROM bazaar.orders
WHERE created_at BETWEEN timestamptz '2026-01-01Z' + :first * interval '2 minutes'
AND timestamptz '2026-01-01Z' + :last * interval '2 minutes';

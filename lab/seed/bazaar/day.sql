-- The orders of half a day: with a bad random_page_cost it reads all of them.
\set minute random(0, 190000)
SELECT count(*), sum(total) FROM bazaar.orders
WHERE created_at BETWEEN timestamptz '2026-01-01Z' + :minute * interval '2 minutes'
AND timestamptz '2026-01-01Z' + (:minute + 360) * interval '2 minutes';

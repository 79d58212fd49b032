-- What was ordered at one minute, and one order.
\set id random(1, 120000)
\set minute random(0, 119999)
SELECT * FROM bazaar.orders WHERE id = :id;
SELECT id, total FROM bazaar.orders WHERE created_at = timestamptz '2026-01-01Z' + :minute * interval '2 minutes';

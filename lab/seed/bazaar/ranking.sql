-- The regions' best orders: sorts more than a bad work_mem holds.
\set region random(0, 30)
SELECT id, rank() OVER (PARTITION BY region ORDER BY total DESC) FROM bazaar.orders
WHERE region BETWEEN :region AND :region + 2 ORDER BY note LIMIT 20;

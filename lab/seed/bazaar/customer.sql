-- The page of a customer: their last orders.
\set customer random(1, 5000)
SELECT id, total, created_at FROM bazaar.orders WHERE customer_id = :customer ORDER BY created_at DESC LIMIT 10;

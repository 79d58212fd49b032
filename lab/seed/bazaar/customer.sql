-- The page of a customer: what they spent.
\set customer random(1, 5000)
SELECT count(*), sum(total), max(created_at) FROM bazaar.orders WHERE customer_id = :customer;

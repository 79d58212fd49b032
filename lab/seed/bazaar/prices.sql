-- The prices of a product.
\set product random(0, 4999)
SELECT avg(price) FROM bazaar.prices WHERE product = :product;

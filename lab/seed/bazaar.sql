-- A marketplace whose database nobody has tuned: every fault in it was planted, each at the line that says so.
-- Deterministic; made anew each time.

DROP SCHEMA IF EXISTS bazaar CASCADE;
CREATE SCHEMA bazaar AUTHORIZATION bazaar_owner;
SET ROLE bazaar_owner;
SET search_path = bazaar;

CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 5000) AS i;

-- Missing index: the pages of a customer read all orders.
CREATE TABLE orders (
  id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, region int NOT NULL,
  total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL, note text NOT NULL
);
INSERT INTO orders
SELECT i, i * 7919::bigint % 5000 + 1, i % 40, i * 97 % 100000 / 100.0,
  timestamptz '2026-01-01Z' + i * 7919::bigint % 120000 * interval '2 minutes', md5(i::text) || md5((i + 1)::text)
FROM generate_series(1, 120000) AS i;
CREATE INDEX orders_created ON orders (created_at);
-- Duplicate: the same once more.
CREATE INDEX orders_created_again ON orders (created_at);
-- Unused: nobody asks for a note.
CREATE INDEX orders_note ON orders (note);


-- Bloat: nine rows of ten were deleted, and the files kept their size.
CREATE TABLE events (id bigint PRIMARY KEY, kind int NOT NULL, payload text NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, i % 9, repeat(md5(i::text), 6) FROM generate_series(1, 120000) AS i;
DELETE FROM events WHERE id % 10 <> 0;

-- Stale statistics: there are none, and autovacuum, which would take them, is switched off.
CREATE TABLE prices (id int PRIMARY KEY, product int NOT NULL, price numeric(8,2) NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO prices SELECT i, i % 5000, i % 90 FROM generate_series(1, 150000) AS i;

-- A harmful candidate: an index on page_id would help one statement, and nearly double what writing costs.
CREATE TABLE pages (id int PRIMARY KEY, path text NOT NULL);
INSERT INTO pages SELECT i, '/' || i FROM generate_series(1, 200) AS i;
CREATE TABLE clicks (id bigint GENERATED ALWAYS AS IDENTITY, page_id int NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO clicks (page_id) SELECT i % 200 + 1 FROM generate_series(1, 120000) AS i;

-- A sequence at nine tenths of what its column can hold.
CREATE TABLE tickets (id serial PRIMARY KEY, subject text NOT NULL);
SELECT setval('tickets_id_seq', 1940000000);
INSERT INTO tickets (subject) SELECT 'ticket ' || i FROM generate_series(1, 100) AS i;

RESET search_path;
RESET ROLE;
GRANT USAGE ON SCHEMA bazaar TO bazaar_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA bazaar TO bazaar_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA bazaar TO bazaar_app;

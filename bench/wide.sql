-- A table as applications have them: wide rows of many types, and documents that live in TOAST.
-- `bench.rows` is how many orders; a document for every 300 of them. The same rows every time.
CREATE TYPE order_status AS ENUM ('new', 'paid', 'packed', 'shipped', 'returned');

CREATE TABLE orders (
    id bigint PRIMARY KEY,
    public_id uuid NOT NULL,
    customer_id int NOT NULL,
    status order_status NOT NULL,
    placed_at timestamptz NOT NULL,
    total numeric(12, 2) NOT NULL,
    address inet,
    tags text [] NOT NULL,
    payload jsonb NOT NULL,
    note text
);

INSERT INTO orders
SELECT
    n,
    md5(n::text)::uuid,
    hashint8(n) & 131071,
    (enum_range(NULL::order_status))[1 + (n % 5)],
    timestamptz '2024-01-01 00:00+00' + n * interval '31 seconds',
    (hashint8(n * 7) & 1048575) / 100.0,
    ('10.' || (n >> 16 & 255) || '.' || (n >> 8 & 255) || '.' || (n & 255))::inet,
    ARRAY['tag' || n % 17, 'channel' || n % 5],
    jsonb_build_object(
        'customer', jsonb_build_object('name', 'Kundin Nr. ' || n % 131071, 'email', md5((n % 131071)::text) || '@example.org'),
        'items', jsonb_build_array(
            jsonb_build_object('sku', md5((n * 3)::text), 'quantity', 1 + n % 4, 'price', (hashint8(n * 11) & 65535) / 100.0),
            jsonb_build_object('sku', md5((n * 5)::text), 'quantity', 1 + n % 3, 'price', (hashint8(n * 13) & 65535) / 100.0)
        ),
        'trace', md5(n::text || 'trace')
    ),
    CASE WHEN n % 3 = 0 THEN repeat('Bitte klingeln bei ' || md5(n::text) || '. ', 1 + (n % 4)::int) END
FROM generate_series(1, current_setting('bench.rows')::bigint) AS n;

CREATE INDEX orders_customer ON orders (customer_id, placed_at);
CREATE INDEX orders_payload ON orders USING gin (tags);

CREATE TABLE documents (id bigint PRIMARY KEY, name text NOT NULL, body text NOT NULL);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;

INSERT INTO documents
SELECT n, 'Beleg-' || n || '.pdf', string_agg(md5(n || ':' || part), '')
FROM generate_series(1, current_setting('bench.rows')::bigint / 300) AS n, generate_series(1, 1500) AS part
GROUP BY n;

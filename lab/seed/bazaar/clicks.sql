-- Writing: what people click on.
\set page random(0, 199)
INSERT INTO bazaar.clicks (page_id) SELECT (i + :page) % 200 + 1 FROM generate_series(1, 40) AS i;

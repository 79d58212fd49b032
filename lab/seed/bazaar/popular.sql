-- When a page was clicked on last: seldom asked, and all clicks are read for it.
\set page random(1, 200)
SELECT max(at), count(*) FROM bazaar.clicks WHERE page_id = :page;

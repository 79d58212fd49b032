-- Foreign keys with the columns that refer, and how often rows of what they refer to were deleted: each such delete
-- looks for referring rows. Those of partitions come with their parent's. Privilege: none.
select
    o.conname as name,
    quote_ident(n.nspname) || '.' || quote_ident(t.relname) as table,
    (select jsonb_agg(quote_ident(a.attname) order by k.place)
     from unnest(o.conkey) with ordinality as k (number, place)
     join pg_attribute a on a.attrelid = o.conrelid and a.attnum = k.number) as columns,
    o.confrelid::regclass::text as parent,
    coalesce(pg_stat_get_tuples_deleted(o.confrelid), 0) as deletes,
    case o.confdeltype when 'c' then 'cascade' when 'n' then 'set null' when 'd' then 'set default'
         when 'r' then 'restrict' else 'no action' end as on_delete
from pg_constraint o
join pg_class t on t.oid = o.conrelid
join pg_namespace n on n.oid = t.relnamespace
where o.contype = 'f' and t.relkind = 'r'
order by 2, 1

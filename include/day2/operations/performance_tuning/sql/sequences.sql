-- Sequences with the column that owns them or takes their values by default. `last` is null for one never used, or
-- where the role may not read it.
-- https://www.postgresql.org/docs/current/view-pg-sequences.html
with filled as materialized (
    select d.refobjid as sequence, f.adrelid as relation, f.adnum as number
    from pg_depend d
    join pg_attrdef f on f.oid = d.objid
    join pg_sequence q on q.seqrelid = d.refobjid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
    union
    select d.objid, d.refobjid, d.refobjsubid
    from pg_depend d
    join pg_sequence q on q.seqrelid = d.objid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
      and d.deptype in ('a', 'i')
), narrowest as materialized (
    select distinct on (e.sequence)
        e.sequence, quote_ident(tn.nspname) || '.' || quote_ident(t.relname) as table_name, a.attname,
        format_type(a.atttypid, null) as type
    from filled e
    join pg_attribute a on a.attrelid = e.relation and a.attnum = e.number
    join pg_class t on t.oid = e.relation
    join pg_namespace tn on tn.oid = t.relnamespace
    order by e.sequence, a.attlen, 2, 3
)
select
    quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename) as name, s.data_type::text as type,
    s.last_value as last, s.increment_by as increment, s.max_value as maximum, s.cycle as cycles,
    coalesce(u.table_name || '.' || quote_ident(u.attname), '') as column, coalesce(u.type, '') as column_type,
    case u.type when 'smallint' then 32767::bigint when 'integer' then 2147483647 when 'bigint'
         then 9223372036854775807 end as column_maximum,
    has_sequence_privilege(c.oid, 'select, usage') as readable
from pg_sequences s
join pg_namespace n on n.nspname = s.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = s.sequencename
left join narrowest u on u.sequence = c.oid
order by 1

-- A row per object of the database, in words that are the same in every version: what there is, with the types of
-- columns, the text of functions and the rules of constraints. Nothing an extension owns. Privilege: none.
-- https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-OBJECT
with named as (
    select 'pg_namespace'::regclass as classid, oid as objid, oid as space, '' as more from pg_namespace
    union all
    select 'pg_class'::regclass, oid, relnamespace, relkind::text || relpersistence::text from pg_class where relkind <> 'c'
    union all
    -- An array type comes with its element type, and belongs to nobody.
    select 'pg_type'::regclass, t.oid, t.typnamespace, t.typtype::text
    from pg_type t where not exists (select from pg_type element where element.typarray = t.oid)
    union all
    select 'pg_proc'::regclass, oid, pronamespace, pg_get_function_result(oid) || md5(prosrc) from pg_proc
    union all
    -- Not-null constraints became objects in version 18; columns say it below in every version.
    select 'pg_constraint'::regclass, oid, connamespace, pg_get_constraintdef(oid) from pg_constraint where contype <> 'n'
    union all
    select 'pg_trigger'::regclass, t.oid, c.relnamespace, t.tgenabled::text
    from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal
    union all
    select 'pg_policy'::regclass, p.oid, c.relnamespace, p.polcmd::text || p.polpermissive::text
    from pg_policy p join pg_class c on c.oid = p.polrelid
), ours as (
    select n.* from named n join pg_namespace s on s.oid = n.space
    where s.nspname not in ('pg_catalog', 'information_schema') and s.nspname !~ '^pg_(toast|temp)'
      and not exists (select from pg_depend d where d.classid = n.classid and d.objid = n.objid and d.deptype = 'e')
)
select o.type || ' ' || o.identity || ' ' || ours.more as line
from ours, pg_identify_object(ours.classid, ours.objid, 0) o
union all
select 'column ' || ours.objid::regclass || ' ' || a.attnum::text || ' ' || quote_ident(a.attname) || ' '
       || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
from ours join pg_attribute a on a.attrelid = ours.objid
where ours.classid = 'pg_class'::regclass and a.attnum > 0 and not a.attisdropped and ours.more !~ '^[iIS]'
order by 1

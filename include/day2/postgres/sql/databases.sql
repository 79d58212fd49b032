-- A row per database that can be connected to and is not a template. Privilege: none.
select d.datname as name, pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate, d.datctype as ctype,
       has_database_privilege(d.oid, 'CONNECT') as may_connect
from pg_database d
where d.datallowconn and not d.datistemplate
order by d.datname

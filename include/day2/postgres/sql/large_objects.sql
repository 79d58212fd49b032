-- One row: how many large objects there are, and how many our role may not read.
-- https://www.postgresql.org/docs/current/lo-implementation.html
select count(*) as total,
       count(*) filter (where not (
           (select rolsuper from pg_roles where rolname = current_user)
           or current_setting('lo_compat_privileges')::bool
           or pg_has_role(current_user, m.lomowner, 'USAGE')
           or exists (select from aclexplode(m.lomacl) a
                      where a.privilege_type = 'SELECT'
                        and (a.grantee = 0 or pg_has_role(current_user, a.grantee, 'USAGE'))))) as unreadable
from pg_largeobject_metadata m

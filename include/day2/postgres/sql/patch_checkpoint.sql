-- One row: whether our role may run CHECKPOINT. pg_checkpoint exists since version 15. Privilege: none.
-- https://www.postgresql.org/docs/current/predefined-roles.html
select r.rolsuper or exists (select from pg_roles known
                             where known.rolname = 'pg_checkpoint' and pg_has_role(known.oid, 'usage')) as may
from pg_roles r
where r.rolname = current_user

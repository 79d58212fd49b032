-- The ledger's own schema: an append-only hash chain, and the leases beside it.
-- Runs as the owner; the application's role gets its rights in grants.sql.

-- One fact a row. Texts are kept as they were hashed; recorded_at always has six digits and a Z,
-- and compares bytewise, so that text order is time order.
create table ledger.entry (
    seq bigint primary key check (seq > 0),
    recorded_at text collate "C" not null,
    kind text not null check (kind <> ''),
    run text not null,
    body text not null check (jsonb_typeof(body::jsonb) = 'object' and body !~ '[\n\r]'),
    prev_hash text not null,
    hash text not null unique
);
create index entry_kind on ledger.entry (kind, seq);
create index entry_run on ledger.entry (run, seq);
create index entry_recorded_at on ledger.entry (recorded_at);

create function ledger.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the ledger is append-only: % of ledger.% is refused', lower(tg_op), tg_table_name
        using errcode = 'insufficient_privilege';
end $$;

create trigger append_only before update or delete or truncate on ledger.entry
    for each statement execute function ledger.refuse_change();
-- also where session_replication_role would skip ordinary triggers
alter table ledger.entry enable always trigger append_only;

-- The n-th byte cannot belong to two readings: `5:hello,` (https://cr.yp.to/proto/netstrings.txt).
create function ledger.netstring(value text) returns bytea
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select convert_to(octet_length(value)::text || ':' || value || ',', 'UTF8')
$$;

-- The only way in. One appender at a time: the lock is held until its transaction ends, so numbers have
-- no gap and every entry names the committed one before it.
create function ledger.append(kind text, run text, body text) returns ledger.entry
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    head ledger.entry;
    made ledger.entry;
begin
    perform pg_advisory_xact_lock(7422001);
    select * into head from ledger.entry e order by e.seq desc limit 1;
    made.seq := coalesce(head.seq, 0) + 1;
    made.recorded_at := to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    made.kind := append.kind;
    made.run := append.run;
    made.body := append.body;
    made.prev_hash := coalesce(head.hash, repeat('0', 64));
    made.hash := encode(sha256(
        ledger.netstring('day2-ledger-1') || ledger.netstring(made.seq::text)
        || ledger.netstring(made.recorded_at) || ledger.netstring(made.kind) || ledger.netstring(made.run)
        || ledger.netstring(made.body) || ledger.netstring(made.prev_hash)), 'hex');
    insert into ledger.entry values (made.*);
    return made;
end $$;

-- Who works on a target, until when. A row is a promise with an end, not evidence.
create table ledger.lease (
    target text primary key,
    owner text not null,
    reason text not null,
    taken_at timestamptz not null,
    expires_at timestamptz not null
);
create index lease_owner on ledger.lease (owner);

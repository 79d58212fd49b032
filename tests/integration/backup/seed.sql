-- One of everything a copy could get wrong, small. The role and the schema have awkward names on purpose.
create schema "sché ma.""x""=1";
create type status as enum ('new', 'paid', 'größer als');
create sequence public."seq -- 'x'; $(id)" as bigint increment by -7 start with 1000 minvalue -1000000 maxvalue 1000 cache 5;
create sequence public.wide increment by 10 cache 20;
create sequence public.untouched;
select nextval('public."seq -- ''x''; $(id)"'), nextval('public.wide') from generate_series(1, 3);

create table public.everything (
    id bigint generated always as identity primary key,
    at timestamptz not null, day date, gap interval, amount numeric(20, 6), ratio double precision, real4 real,
    state status, states status[], words text[], doc json, docb jsonb, raw bytea, address inet, span int4range,
    key uuid, money money, bits bit varying, place point, x xml,
    twice numeric generated always as (amount * 2) stored
);
insert into public.everything (at, day, gap, amount, ratio, real4, state, states, words, doc, docb, raw, address, span, key, money, bits, place, x)
select '2026-03-29 00:30Z'::timestamptz + n * interval '17 minutes', '2026-01-01'::date + n, n * interval '1 month 3.5 seconds',
       n / 7.0, n / 3.0, n / 3.0, (array['new', 'paid', 'größer als'])[1 + n % 3]::status, array['new', null]::status[],
       array['a,b', '"', null, 'ü'], json_build_object('n', n, 'k', '"'), jsonb_build_object('n', n), decode(md5(n::text), 'hex'),
       ('10.0.0.' || n % 250)::inet, int4range(n, n + 5), md5(n::text)::uuid, n::money, B'101', point(n, -n), xmlparse(content '<a/>')
from generate_series(1, 400) n;
insert into public.everything (at, ratio, real4) values ('infinity', 'NaN', '-Infinity');

create table "sché ma.""x""=1"."Größe ""x"".y; $(touch pwned) %s" (
    "spalte ""a""=b" text collate "C", "select" int, primary key ("select")
);
insert into "sché ma.""x""=1"."Größe ""x"".y; $(touch pwned) %s" select 'wert ' || n, n from generate_series(1, 50) n;

create table public.measured (at date not null, city text not null, value real) partition by range (at);
create table public.measured_2025 partition of public.measured for values from ('2025-01-01') to ('2026-01-01');
create table public.measured_rest partition of public.measured default;
insert into public.measured select '2025-12-20'::date + n, 'Köln', n from generate_series(1, 40) n;

create unlogged table public.cached as select n, md5(n::text) as word from generate_series(1, 100) n;
create table public.none (id int primary key, note text);
create table public.no_columns ();
insert into public.no_columns default values;
create table public.parent (id int, note text);
create table public.child (extra int) inherits (public.parent);
insert into public.parent values (1, 'parent');
insert into public.child values (2, 'child', 3);
create index on public.everything using gin (docb);
create view public.paid as select * from public.everything where state = 'paid';
create materialized view public.by_state as select state, count(*) from public.everything group by 1;

create table public.secured (owner name default current_user, secret text);
insert into public.secured values ('a', 'one'), ('b', 'two');
alter table public.secured enable row level security;
create policy own on public.secured using (owner = current_user);

select lo_from_bytea(700001, 'large object one'::bytea), lo_from_bytea(700002, decode(repeat('00ff', 5000), 'hex'));
create function public.double(n int) returns int language sql immutable as 'select n * 2';
create extension if not exists pg_trgm;
comment on table public.everything is 'it''s "everything"; $(id)';

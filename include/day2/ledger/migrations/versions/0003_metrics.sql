-- Samples of metrics: beside the chain, as there are thousands a minute. Raw ones are kept for weeks in a partition
-- a month, and rolled up to hours and days, which are kept for years. The application reads, inserts, and calls.

create table ledger.metric_series (
    id int generated always as identity primary key,
    environment text not null,
    target text not null,
    metric text not null,
    part text not null,
    unique (environment, target, metric, part)
);

-- A counter's value is what it showed: its increase is made when it is read, where a reset is seen.
create table ledger.metric_sample (
    series int not null,
    at timestamptz not null,
    value float8 not null,
    primary key (series, at)
) partition by range (at);

create table ledger.metric_rollup (
    series int not null,
    span text not null check (span in ('hour', 'day')),
    at timestamptz not null,
    low float8 not null,
    mean float8 not null,
    high float8 not null,
    last float8 not null,
    samples int not null,
    primary key (span, series, at)
);

-- Where each series stands against its threshold, as day2.metrics.thresholds has it.
create table ledger.metric_standing (
    series int primary key,
    body jsonb not null,
    updated_at timestamptz not null default clock_timestamp()
);

-- The partition of a month (UTC), made when the first sample of it comes. Only ours are ever made or dropped.
create function ledger.metric_month(moment timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    first timestamptz := date_trunc('month', moment, 'UTC');
    name text := 'metric_sample_' || to_char(moment at time zone 'UTC', 'YYYYMM');
begin
    if to_regclass('ledger.' || name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7422003);
    execute format('create table if not exists ledger.%I partition of ledger.metric_sample for values from (%L) to (%L)',
        name, first, first + interval '1 month');
end $$;

-- Roll up what is whole: every hour and day that ended before `upto`, from `since` on. The same again changes nothing.
create function ledger.metric_roll(since timestamptz, upto timestamptz) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made bigint := 0;
    changed bigint;
    each_span text;
begin
    foreach each_span in array array['hour', 'day'] loop
        insert into ledger.metric_rollup as r (series, span, at, low, mean, high, last, samples)
        select s.series, each_span, date_trunc(each_span, s.at, 'UTC'), min(s.value), avg(s.value),
            max(s.value), (array_agg(s.value order by s.at desc))[1], count(*)
        from ledger.metric_sample s
        where s.at >= date_trunc(each_span, since, 'UTC') and s.at < date_trunc(each_span, upto, 'UTC')
        group by s.series, 3
        on conflict on constraint metric_rollup_pkey do update
            set low = excluded.low, mean = excluded.mean, high = excluded.high, last = excluded.last,
                samples = excluded.samples
            where r.samples < excluded.samples;
        get diagnostics changed = row_count;
        made := made + changed;
    end loop;
    return made;
end $$;

-- Drop the months that ended before `before`, once they are rolled up; and rolled-up hours before `hours_before`.
create function ledger.metric_expire(before timestamptz, hours_before timestamptz) returns text[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    part record;
    dropped text[] := '{}';
begin
    perform pg_advisory_xact_lock(7422003);
    for part in
        select c.relname as name, to_date(right(c.relname, 6), 'YYYYMM') as month
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'ledger.metric_sample'::regclass order by 1
    loop
        if (part.month + interval '1 month') at time zone 'UTC' <= before then
            perform ledger.metric_roll(part.month::timestamp at time zone 'UTC',
                (part.month + interval '1 month') at time zone 'UTC');
            execute format('drop table ledger.%I', part.name);
            dropped := dropped || part.name;
        end if;
    end loop;
    delete from ledger.metric_rollup r where r.span = 'hour' and r.at < hours_before;
    return dropped;
end $$;

with tries as (
    select * from ledger.probe_sample where run = {run} and target = {target} and via = 'endpoint'
), recovered as (
    select min(w.answered_at) as at from tries w
     where w.wrote and w.sent_at >= {declared} and w.server like {server}
       and exists (select from tries r where r.sent_at >= w.answered_at and r.seen >= w.n)
)
select extract(epoch from recovered.at - {declared}::timestamptz) as rto_seconds,
       (select count(*) from tries where wrote and answered_at < recovered.at) as acknowledged,
       (select max(answered_at) from tries where wrote and answered_at < recovered.at) as last_before
  from recovered;

-- What the outside probe of a drill tried and was told, some ten rows a second: too much for the chain.
-- The chain holds the digest of these rows instead. The application's role may insert and select only.

-- Times are the probe's own clock. `via` is `endpoint`, or the name of a server that was asked at its own
-- address. `seen` is the newest marker of the run that this connection could read.
create table ledger.probe_sample (
    run text not null,
    target text not null,
    n bigint not null,
    via text not null,
    sent_at timestamptz not null,
    answered_at timestamptz not null,
    wrote bool not null,
    server text not null,
    said text not null,
    seen bigint,
    primary key (run, target, n, via)
);

-- Another task asks the probe to end. One row for each attempt of the run, so that a second attempt's
-- probe does not end because the first one's was asked to.
create table ledger.probe_stop (
    run text not null,
    target text not null,
    attempt int not null,
    asked_at timestamptz not null default clock_timestamp(),
    primary key (run, target, attempt)
);

-- What the application's role may do, and nothing else. Run after every migration: it takes back what
-- somebody may have granted by hand. {app_role} is a quoted identifier.
revoke all on schema ledger from public, {app_role};
revoke all on all tables in schema ledger from public, {app_role};
revoke all on all functions in schema ledger from public, {app_role};
grant usage on schema ledger to {app_role};
grant select on ledger.entry to {app_role};
grant execute on function ledger.append(text, text, text) to {app_role};
grant select, insert, update, delete on ledger.lease to {app_role};
grant select, insert on ledger.probe_sample to {app_role};
grant select, insert on ledger.probe_stop to {app_role};
grant select, insert on ledger.metric_series, ledger.metric_sample to {app_role};
grant select on ledger.metric_rollup to {app_role};
grant select, insert, update on ledger.metric_standing to {app_role};
grant execute on function ledger.metric_month(timestamptz), ledger.metric_roll(timestamptz, timestamptz),
    ledger.metric_expire(timestamptz, timestamptz) to {app_role};

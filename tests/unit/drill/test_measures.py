"""RTO and RPO from samples and entries: properties, and the cases a drill meets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from day2.ledger.probe import Sample
from day2.ledger.store import Entry
from day2.operations.dr_drill import measures, samples
from day2.operations.dr_drill.measures import BETWEEN, FOLLOW, Step

T0 = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
OLD = "127.0.0.1:5432, timeline 1, up since 2026-11-23 05:00:00+00"
NEW = "127.0.0.1:5433, timeline 2, up since 2026-11-23 05:10:00+00"

numbered = st.dictionaries(st.integers(1, 500), st.integers(0, 10_000), max_size=60).map(
    lambda found: {n: at(ms / 1000) for n, ms in found.items()}
)
seconds = st.integers(-5_000, 50_000).map(lambda ms: ms / 1000)
steps = st.lists(
    st.tuples(st.sampled_from(["fence", "promote", "route"]), seconds, seconds).map(
        lambda drawn: Step(drawn[0], at(min(drawn[1:])), at(max(drawn[1:])), "worker-1")
    ),
    max_size=8,
)


def at(moment: float) -> datetime:
    return T0 + timedelta(seconds=moment)


def beat(n: int, *, wrote: bool = True, server: str = OLD, seen: int | None = None, via: str = "endpoint") -> Sample:
    """Beat `n` is sent at second `n` and takes a tenth."""
    return Sample(n, via, at(n), at(n + 0.1), wrote, server if wrote else "", "" if wrote else "refused", seen)


@given(numbered, st.sets(st.integers(1, 500)))
def test_every_acknowledged_marker_that_is_missing_is_counted_and_nothing_else(acknowledged, recovered):
    found = measures.rpo(acknowledged, recovered)
    assert found.lost == sum(n not in recovered for n in acknowledged)
    assert set(found.lost_numbers) == acknowledged.keys() - recovered


@given(numbered)
def test_where_nothing_is_missing_nothing_is_lost(acknowledged):
    found = measures.rpo(acknowledged, acknowledged.keys())
    assert (found.seconds, found.lost) == (0.0, 0)


@given(numbered, st.sets(st.integers(1, 500)))
def test_the_seconds_lost_lie_within_what_the_probe_saw(acknowledged, recovered):
    found = measures.rpo(acknowledged, recovered)
    span = max(acknowledged.values(), default=T0) - min(acknowledged.values(), default=T0)
    assert found.seconds is not None
    assert 0 <= found.seconds <= span.total_seconds()


@given(st.integers(1, 60), st.integers(0, 60))
def test_a_lost_tail_is_as_long_as_from_the_newest_kept_to_the_newest_acknowledged(length, lost):
    lost = min(lost, length - 1)
    acknowledged = {n: at(n * 0.2) for n in range(1, length + 1)}
    found = measures.rpo(acknowledged, set(range(1, length + 1 - lost)))
    assert found.lost == lost
    assert found.seconds is not None
    assert abs(found.seconds - lost * 0.2) < 1e-6


def test_markers_nobody_acknowledged_do_not_repair_a_loss():
    assert measures.rpo({1: at(1), 2: at(2)}, {1, 3, 4}).lost == 1


def test_when_nothing_came_back_the_loss_is_at_least_as_long_as_the_probe_looked():
    found = measures.rpo({1: at(1), 5: at(9)}, set())
    assert (found.seconds, found.lost) == (8.0, 2)


@given(steps, st.integers(0, 50_000).map(lambda ms: ms / 1000))
def test_the_rows_of_the_breakdown_follow_each_other_and_add_up_to_the_rto(made, total):
    told = measures.rto(T0, at(total), made)
    rows = told["breakdown"]
    edges = [(row["started"], row["ended"]) for row in rows]
    assert edges[:1] == [(T0.isoformat(), edges[0][1])] if edges else total == 0
    assert all(one[1] == other[0] for one, other in zip(edges, edges[1:], strict=False))
    assert abs(sum(row["seconds"] for row in rows) - told["rto_seconds"]) < 0.001 * (len(rows) + 1)
    assert 0 <= told["rto_without_orchestration"] <= told["rto_seconds"]
    assert abs(told["rto_without_orchestration"] + told["orchestration_seconds"] - told["rto_seconds"]) < 0.002


def test_the_time_between_steps_is_stated_apart_and_the_clients_time_is_not_hidden_in_it():
    made = [Step("fence", at(2), at(3), "worker-1"), Step("promote", at(5), at(6), "worker-2")]
    told = measures.rto(T0, at(6.5), made)
    assert [(row["step"], row["seconds"]) for row in told["breakdown"]] == [
        (BETWEEN, 2.0), ("fence", 1.0), (BETWEEN, 2.0), ("promote", 1.0), (FOLLOW, 0.5),
    ]  # fmt: skip
    assert (told["rto_seconds"], told["orchestration_seconds"], told["rto_without_orchestration"]) == (6.5, 4.0, 2.5)
    assert [row["clock"] for row in told["breakdown"]][-1] == "the probe's"


def test_a_write_inside_of_a_step_cuts_the_step():
    told = measures.rto(T0, at(2), [Step("route", at(1), at(9), "worker-1")])
    assert [(row["step"], row["seconds"]) for row in told["breakdown"]] == [(BETWEEN, 1.0), ("route", 1.0)]


def test_the_rto_ends_with_the_first_write_that_the_new_server_took_and_that_is_there():
    seen = [beat(1), beat(2), beat(3, wrote=False), beat(4, server=NEW), beat(5, server=NEW), beat(6, server=NEW)]
    found = measures.first_write(seen, declared_at=at(1.5), by=NEW, recovered={1, 2, 5, 6})
    assert found == seen[4], "4 was acknowledged, and is not there"


def test_a_promoted_server_that_was_started_again_is_still_the_one_that_took_over():
    again = NEW.replace("05:10:00", "06:10:00")
    seen = [beat(2, server=NEW), beat(3, wrote=False), beat(4, server=again)]
    assert measures.first_write(seen, declared_at=at(1), by=again, recovered={2, 4}) == seen[0]


def test_writes_that_the_old_server_still_took_after_the_declaration_end_no_rto():
    assert measures.first_write([beat(2), beat(3)], declared_at=at(1), by=NEW, recovered={2, 3}) is None


def test_a_write_before_the_declaration_ends_no_rto():
    assert measures.first_write([beat(2, server=NEW)], declared_at=at(5), by=NEW, recovered={2}) is None


def test_a_write_over_a_servers_own_address_ends_no_rto():
    seen = [beat(2, server=NEW, via="orders-standby")]
    assert measures.first_write(seen, declared_at=at(1), by=NEW, recovered={2}) is None


def test_without_markers_the_loss_reaches_back_to_the_last_replayed_commit():
    found = measures.rpo_of_commit(at(10), at(7.5))
    assert (found.seconds, found.lost, found.method) == (2.5, None, "last replayed commit")
    assert measures.rpo_of_commit(at(10), None).seconds is None
    assert measures.rpo_of_commit(at(10), at(11)).seconds == 0


def test_a_rebuild_loses_what_came_after_the_snapshot():
    assert measures.rpo_of_point(at(3600), T0).as_dict() == {
        "rpo_seconds": 3600.0, "lost": None, "rpo_method": "recovery point", "lost_markers": [],
    }  # fmt: skip


def entry(kind: str, **body: Any) -> Entry:
    return Entry(1, "", kind, "run", {"attempt": 1, "target": "orders"} | body, "", "")


def test_steps_come_from_the_ledger_with_the_clock_of_their_host_and_people_count():
    def tried(step: str, begin: float, end: float, **more: Any) -> list[Entry]:
        key = {"step": step, "try": 1, "started": at(begin).isoformat()} | more
        return [entry("intent", host="w1", pid=1, **key), entry("outcome", ended=at(end).isoformat(), **key)]

    entries = [
        *tried("fence", 1, 2),
        *tried("fence", 1, 9, target="billing"),
        *tried("rejoin", 50, 60),
        entry("intent", step="promote", host="w1", **{"try": 1, "started": at(4).isoformat()}),
        entry("manual_step", name="call-the-bank", target="", asked_at=at(2).isoformat(), answered_at=None),
        entry("manual_step", name="call-the-bank", target="", asked_at="", answered_at=at(3.5).isoformat()),
        entry("manual_step", name="nobody-did", target="", asked_at=at(2).isoformat(), answered_at=None),
    ]
    assert measures.steps(entries, "orders", ("fence", "promote")) == [
        Step("fence", at(1), at(2), "w1"),
        Step("by hand: call-the-bank", at(2), at(3.5), "Airflow's"),
    ]


written = st.lists(st.booleans(), min_size=1, max_size=60)


@given(written)
def test_outages_are_exactly_the_stretches_without_an_accepted_write(wrote):
    made = [beat(n, wrote=each) for n, each in enumerate(wrote, 1)]
    found = samples.outages(made)
    assert sum(each.beats for each in found) == wrote.count(False)
    assert all(not one.ended > other.begun for one, other in zip(found, found[1:], strict=False))
    for each in made:
        inside = any(gap.begun <= each.sent_at and each.answered_at <= gap.ended and not each.wrote for gap in found)
        assert inside == (not each.wrote)


def test_an_outage_lasts_from_the_last_acknowledgement_before_to_the_first_after():
    made = [beat(1), beat(2, wrote=False), beat(3, wrote=False), beat(4)]
    (found,) = samples.outages(made)
    assert (found.begun, found.ended, found.beats) == (at(1.1), at(4.1), 2)


def test_a_beat_in_which_both_servers_took_the_write_is_split_brain_and_the_endpoint_is_no_server():
    made = [beat(n, via=via, wrote=n == 2 or via != "b") for n in (1, 2) for via in ("endpoint", "a", "b")]
    assert samples.split_brains(made) == [2]


def test_a_write_counts_as_verified_when_a_later_connection_read_it():
    made = [beat(1, seen=None), beat(2, seen=1), beat(3, seen=1), beat(4, wrote=False), beat(5, seen=3)]
    assert [each.n for each in samples.verified(made)] == [1, 3], "2 was gone when 3 looked, and seen again by 5"


def test_a_probe_that_was_away_is_a_silence_unless_it_had_been_asked_to_end():
    made = [beat(1), beat(2), beat(40), beat(41)]
    (found,) = samples.silences(made)
    assert (found.begun, found.ended) == (at(2.1), at(40))
    assert samples.silences(made, stops=[at(4)]) == []
    assert samples.silences(made, stops=[at(30)]) == [found]


def test_one_server_under_two_addresses_is_one_server():
    assert samples.same_server(NEW, NEW.replace("127.0.0.1:5433", "10.0.0.7:6432"))
    assert not samples.same_server(NEW, OLD)
    assert not samples.same_server("", "")
    assert samples.timeline(NEW) == 2
    assert samples.timeline("") is None


def test_the_digest_changes_with_any_field_and_not_with_the_order():
    made = [beat(1), beat(2, wrote=False)]
    assert samples.digest(made) == samples.digest(made[::-1])
    assert samples.digest(made) != samples.digest([beat(1), beat(2)])
    assert samples.digest(made) != samples.digest([beat(1, seen=7), beat(2, wrote=False)])

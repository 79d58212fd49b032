"""From days of samples to a review, its document, its facts, and what became of the last one's requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory import CapacityPolicy
from day2.ledger import Entry
from day2.ledger.metric_days import Days
from day2.ledger.metrics import Series
from day2.operations.capacity_review import document, facts, fates, history, making, planning, report, review
from day2.operations.capacity_review.facts import Stored
from day2.operations.capacity_review.fates import Closing
from day2.operations.capacity_review.making import Before
from day2.operations.capacity_review.review import Request, Review
from day2.operations.capacity_review.subjects import Reader, headrooms
from tests.unit.capacity.frames import NOW, line
from tests.unit.capacity.places import environment

TARGET = "host/web-01"
TODAY = NOW.date()


def days(metric: str, values: Sequence[float], *, part: str = "", target: str = TARGET, ended: int = 0) -> Days:
    """A value a day, the last one `ended` days before yesterday."""
    first = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC) - timedelta(days=len(values) + ended)
    seconds = [(first + timedelta(days=number)).timestamp() for number in range(len(values))]
    half = [each / 2 for each in values]
    return Days(Series(target, metric, part), seconds, half, list(values), list(values))


def reader(policy: dict[str, Any] | None = None, **tags: str) -> Reader:
    here = environment(policy, tags=tags)
    return Reader(here, here.policies.capacity_review or CapacityPolicy(), NOW)


def disk(values: Sequence[float], total: float) -> list[Days]:
    return [days("disk_used", values, part="/"), days("disk_total", [total] * len(values), part="/")]


def made(found: Sequence[Days], *, before: Before | None = None, by: Reader | None = None) -> Review:
    by = by or reader()
    return making.whole(by, making.target(by, TARGET, found), {TARGET: found}, before or Before())


def stored(made: Review, **changes: Any) -> Stored:
    data = document.dump(made)
    usual = {"review": document.load(data), "stood": document.stood(data), "requests": review.requests(made)}
    return Stored(**{**usual, "last": {}, **changes})


def fact(of: Stored | None) -> dict[str, Any]:
    [row] = facts.rows([TARGET], of)
    return row


# What is reviewed


def test_a_disk_is_held_against_its_newest_size_and_a_percentage_against_a_hundred() -> None:
    found = [*disk(line(60), 500.0), days("disk_used", line(60), part="/data"), days("cpu_percent", line(60))]
    limits = {each.resource: each.limit for each in reader().subjects(TARGET, found)}
    assert limits == {"disk /": 500.0, "disk /data": None, "CPU": 100.0}


def test_a_policy_adds_a_resource_changes_a_limit_and_leaves_one_out() -> None:
    policy = {
        "resources": {
            "cpu_percent": {"name": "CPU", "unit": "percent", "limit": 60},
            "memory_percent": None,
            "orders_total": {"name": "orders a second", "counter": True, "limit": 50},
        }
    }
    by = reader(policy)
    counter = days("orders_total", [86400.0 * number for number in range(1, 40)])
    [cpu, orders] = by.subjects(TARGET, [days("cpu_percent", line(40)), days("memory_percent", line(40)), counter])
    assert (cpu.limit, orders.limit) == (60, 50)
    assert orders.frame.current == pytest.approx(1.0)
    assert "memory_percent" not in by.policy.metrics


def test_a_counter_that_was_reset_is_no_negative_use() -> None:
    policy = {"resources": {"orders_total": {"name": "orders", "counter": True}}}
    values = [86400.0 * number for number in range(1, 30)] + [86400.0 * number for number in range(1, 30)]
    [subject] = reader(policy).subjects(TARGET, [days("orders_total", values)])
    assert float(min(subject.frame.values)) == pytest.approx(1.0)
    assert subject.frame.dropped == {"counter resets": 1}


def test_days_of_an_incident_are_left_out_of_its_targets_only() -> None:
    incident = {"since": TODAY - timedelta(days=9), "until": TODAY - timedelta(days=8), "why": "a log ran full"}
    for targets, gaps in (([], 2), ([TARGET], 2), (["database/orders"], 0)):
        policy = {"incidents": [incident | {"targets": targets}]}
        [subject] = reader(policy).subjects(TARGET, [days("cpu_percent", line(40))])
        assert 40 - subject.frame.points == gaps, targets


def test_headroom_and_lead_are_those_of_the_tier_unless_the_policy_says_otherwise() -> None:
    usual = headrooms(environment(), CapacityPolicy())["production"]
    said = headrooms(environment(), CapacityPolicy.model_validate({"headroom_percent": 40, "lead": "P7D"}))
    assert (usual.share, usual.lead.days) == (0.25, 45)
    assert (said["production"].share, said["production"].lead.days) == (0.4, 7)


def test_more_is_asked_of_the_targets_own_owner() -> None:
    by = reader()
    found = [days("connections_percent", line(60, slope=0.5, base=60), target="database/orders")]
    rows = making.target(by, "database/orders", found)
    assert rows[0].subject.owner == "shop-team"


# What is kept


@pytest.mark.parametrize(
    "values",
    [line(200), [5.0] * 90, [0.0] * 90, [1.0, 2.0, 3.0], [10.0**number for number in range(40)], [-5.0, 5.0] * 40],
    ids=["growth", "constant", "zeros", "three days", "explosion", "negative"],
)
def test_a_review_survives_its_document_and_is_judged_the_same_again(values: list[float]) -> None:
    once = made(disk(values, 400.0))
    data = document.dump(once)
    assert document.dump(document.load(data)) == data
    seen = fact(stored(once))
    assert (seen["series"], seen["answered"]) == (1, 1)
    assert [seen[name] for name in ("disordered", "too_far", "inconsistent", "judged_otherwise")] == [0, 0, 0, 0]
    assert b"NaN" not in data
    assert json.loads(data)["schema"] == 1


def test_a_gap_stays_a_gap_in_the_document() -> None:
    values = line(60)
    found = days("cpu_percent", values)
    gone = Days(
        found.series, *([*each[:30], *each[35:]] for each in (found.seconds, found.mean, found.high, found.last))
    )
    again = document.load(document.dump(made([gone])))
    assert (len(again.rows[0].subject.frame.values), again.rows[0].subject.frame.points) == (60, 55)


def test_the_page_of_a_document_is_that_of_its_review() -> None:
    once = made(disk(line(200), 400.0))
    assert report.render(document.load(document.dump(once))) == report.render(once)


# What is judged


def test_facts_see_what_was_tampered_with() -> None:
    whole = made(disk(line(200), 400.0))
    data = document.dump(whole).replace(b'"limit":400.0', b'"limit":9400.0')
    tampered = stored(whole, review=document.load(data), stood=document.stood(data))
    assert fact(tampered)["judged_otherwise"] == 1


def test_facts_see_a_request_that_is_missing_and_a_last_review_that_is_lost() -> None:
    whole = made(disk(line(200), 320.0))
    assert (fact(stored(whole))["pressing"], fact(stored(whole))["asked_for"]) == (1, 1)
    assert fact(stored(whole, requests=[]))["asked_for"] == 0
    assert fact(stored(whole, last=None))["last_read"] is False


def test_facts_see_a_comparison_that_was_not_made() -> None:
    values = line(200)
    then = reader()
    [said] = making.target(replace(then, now=NOW - timedelta(days=30)), TARGET, disk(values[:170], 400.0))
    [row] = making.target(then, TARGET, disk(values, 400.0))
    last = {said.forecast.name: replace(said.forecast, start=TODAY - timedelta(days=30))}
    compared = made(disk(values, 400.0), before=Before(TODAY - timedelta(days=30), last))
    assert [fact(stored(compared, last=last))[name] for name in ("comparable", "compared")] == [1, 1]
    forgotten = replace(compared, comparisons=[])
    assert [fact(stored(forgotten, last=last))[name] for name in ("comparable", "compared")] == [1, 0]
    assert row.forecast.name == "host/web-01 disk /"


def test_intervals_out_of_order_and_forecasts_too_far_are_seen() -> None:
    [row] = making.target(reader(), TARGET, [days("cpu_percent", line(60, slope=0.1))])
    forecast = row.forecast
    assert facts.ordered(forecast)
    assert not facts.ordered(replace(forecast, low=forecast.high, high=forecast.low))
    assert not facts.ordered(replace(forecast, peak_high=(float("inf"), *forecast.peak_high[1:])))
    assert not facts.ordered(replace(forecast, median=forecast.median[:-1]))


def test_a_target_without_samples_and_a_document_that_is_gone_are_told_apart() -> None:
    assert fact(stored(made([])))["series"] == 0
    both = facts.rows([TARGET, "database/orders"], stored(made(disk(line(60), 400.0))))
    assert [(each["series"], each["coverage"]) for each in both] == [(1, 0.8), (0, 0.8)]
    assert fact(None)["evidence_equal"] is False
    assert fact(None)["series"] is None
    assert fact(None).keys() == fact(stored(made([]))).keys()


# What became of the last requests

ASKED = Request(
    target=TARGET, resource="disk /", what="more", made_on=date(2026, 8, 1), owner="o", due=date(2026, 10, 1),
    limit=400.0, wanted=600.0,
)  # fmt: skip


def fate(values: Sequence[float], total: float, closing: Closing | None = None) -> Request:
    rows = {row.subject.name: row for row in making.target(reader(), TARGET, disk(values, total))}
    return fates.told([ASKED], rows, {ASKED.key: closing} if closing else {})[0]


def test_a_limit_that_was_raised_is_done_and_says_if_it_was_less_than_asked_for() -> None:
    assert (fate(line(200), 600.0).fate, fate(line(200), 600.0).note) == (
        "done",
        "the limit was raised from 400 B to 600 B",
    )
    assert fate(line(200), 500.0).note.endswith("; 600 B were asked for")


def test_what_still_presses_is_open_and_overdue_after_its_day() -> None:
    told = fate(line(200), 400.0)
    assert told.fate == "open"
    assert told.is_overdue(TODAY)


def test_what_fell_by_itself_is_expired_and_so_is_what_is_no_longer_reviewed() -> None:
    assert fate([10.0] * 90, 400.0).fate == "expired"
    assert fates.told([ASKED], {}, {})[0].note == "it is no longer reviewed"


def test_what_nobody_saw_stays_open() -> None:
    assert fate([1.0, 2.0], 400.0).fate == "open"


def test_what_a_person_said_wins_unless_it_was_said_of_an_earlier_request() -> None:
    refused = Closing("rejected", "ann@ops", date(2026, 9, 1), "a purge instead")
    assert fate(line(200), 400.0, refused).fate == "rejected"
    assert fate(line(200), 400.0, refused).note == "ann@ops, 2026-09-01: a purge instead"
    assert fate(line(200), 400.0, replace(refused, on=date(2026, 7, 1))).fate == "open"


def test_what_is_open_is_asked_for_again_with_its_own_day() -> None:
    again = made(disk(line(200), 400.0), before=Before(requests=[ASKED]))
    [request] = review.requests(again)
    assert (request.made_on, request.due, request.seen) == (ASKED.made_on, ASKED.due, 2)


# Which review counts


def entries(*bodies: tuple[str, dict[str, Any]]) -> list[Entry]:
    return [Entry(n, "", kind, "r/1", body | {"attempt": 1}, "", "") for n, (kind, body) in enumerate(bodies)]


PLAN, MADE = ("plan", {}), (history.MADE, {})


def checks(**passed: bool) -> tuple[str, dict[str, Any]]:
    found = [{"id": name, "passed": good, "severity": "critical"} for name, good in passed.items()]
    return "checks", {"passed": all(passed.values()), "checks": found}


SOUND, WRONG = checks(has_series=True, intervals=True), checks(has_series=True, intervals=False)
UNSEEN = checks(has_series=False, intervals=True)
SIGNED, REFUSED = ("sign_off", {"decision": "signed"}), ("sign_off", {"decision": "rejected"})


@pytest.mark.parametrize(
    ("left", "why"),
    [
        ([], None),
        ([MADE, SOUND, SIGNED], None),
        ([MADE], "it was not checked"),
        ([MADE, WRONG, SIGNED], "these checks failed: intervals"),
        ([MADE, UNSEEN, SIGNED], None),
        ([MADE, SOUND], "nobody signed it"),
        ([MADE, SOUND, REFUSED], "the signature was rejected"),
        ([MADE, SOUND, ("sign_off", {"decision": "refused"})], "the signature was refused"),
        ([MADE, SOUND, ("sign_off", {"decision": "refused"}), SIGNED], None),
    ],
)
def test_only_a_review_that_is_sound_and_signed_counts(left: list[Any], why: str | None) -> None:
    assert history.why_withdrawn(entries(*left)) == why


def test_a_signature_of_an_earlier_review_of_the_run_is_not_this_ones() -> None:
    assert history.why_withdrawn(entries(MADE, SOUND, SIGNED, PLAN, MADE)) == "it was not checked"
    assert history.why_withdrawn(entries(MADE, SOUND, SIGNED, PLAN)) is None


def test_after_a_refusal_somebody_else_may_sign_and_then_it_counts_again() -> None:
    refused = entries(PLAN, MADE, SOUND, REFUSED, (history.WITHDRAWN, {}))
    assert history.was_withdrawn(refused)
    signed = entries(PLAN, MADE, SOUND, REFUSED, (history.WITHDRAWN, {}), SIGNED)
    assert history.why_withdrawn(signed) is None
    assert history.was_withdrawn(signed)
    assert not history.was_withdrawn(entries(PLAN, MADE, SOUND, SIGNED))


# The plan

MANUAL = Trigger("manual", "operator", "a test", "")


def plan(*names: str, trigger: Trigger = MANUAL) -> dict[str, Any]:
    request = planning.Request(environment(), names, trigger, dry_run=True, policy_hash="h")
    seen = [*disk(line(60), 400.0), days("cpu_percent", [1.0, 2.0]), days("cpu_percent", [1.0], target="host/gone")]
    return planning.make(request, seen, last=None)


def test_the_plan_says_how_much_history_each_target_has() -> None:
    web, orders = plan(TARGET, "database/orders")["targets"][::-1]
    assert (web["series"], web["enough"], web["days"], web["since"]) == (2, 1, 60, "2026-09-24")
    assert (orders["series"], orders["since"]) == (0, None)
    told = "\n".join(planning.lines(plan(TARGET, "database/orders") | {"briefing": []}))
    assert "database/orders: no samples at all" in told
    assert "host/gone" in told
    assert "1 of them have too few days" in told


@pytest.mark.parametrize(
    ("names", "trigger", "why"),
    [
        ((), MANUAL, "no target is selected"),
        (("host/web-1",), MANUAL, "did you mean 'host/web-01'"),
        ((TARGET,), replace(MANUAL, reason=""), "needs a reason"),
    ],
)
def test_a_plan_is_refused(names: tuple[str, ...], trigger: Trigger, why: str) -> None:
    with pytest.raises(PlanRefused, match=why):
        plan(*names, trigger=trigger)


# Rightsizing

SIZING = {
    "costs": {"kind": "list price", "currency": "EUR", "source": "a list", "as_of": date(2026, 11, 1)},
    "sizes": [
        {"name": "small", "capacity": {"cpu_percent": 2, "memory_percent": 4e9}, "cost_month": 20},
        {"name": "large", "capacity": {"cpu_percent": 8, "memory_percent": 16e9}, "cost_month": 80},
    ],
}


def use(cpu: float, memory: float, count: int = 60) -> list[Days]:
    return [days("cpu_percent", [cpu] * count), days("memory_percent", [memory] * count)]


def proposal(found: list[Days], size: str = "large") -> Any:
    [sized] = made(found, by=reader({"sizing": SIZING}, size=size)).sized
    return sized.proposal


def test_what_is_hardly_used_may_be_smaller_and_says_what_it_was_reckoned_with() -> None:
    found = proposal(use(10, 12))
    assert (found.direction, found.to, found.cost_change) == ("down", "small", -60)
    assert str(found.basis) == "list price, EUR, a list, 2026-11-01"


def test_what_is_short_gets_larger() -> None:
    assert proposal(use(95, 50), size="small").direction == "up"


def test_without_one_of_its_metrics_nothing_is_proposed() -> None:
    assert proposal(use(10, 12)[:1]).direction == "unknown"
    assert proposal(use(10, 12, count=5)).direction == "unknown"


def test_growth_that_is_expected_keeps_a_machine_large() -> None:
    grows = [days("cpu_percent", [5 + 0.08 * number for number in range(120)]), use(1, 12, count=120)[1]]
    flat = [days("cpu_percent", [15.0] * 120), grows[1]]
    assert (proposal(flat).direction, proposal(grows).direction) == ("down", "keep")


def test_a_target_without_a_size_has_no_proposal() -> None:
    assert made(use(10, 12), by=reader({"sizing": SIZING})).sized == []


def test_the_signer_reads_the_verdict_the_requests_fates_and_the_error() -> None:
    lines = report.briefing(made(disk(line(200), 320.0), before=Before(requests=[ASKED])))
    assert "ACT" in lines[0] or "PLAN" in lines[0]
    assert "of the last review's requests: 1 overdue" in "\n".join(lines)
    assert lines[-1] == "There is no earlier forecast to compare with what happened."

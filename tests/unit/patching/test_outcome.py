"""What a run made of its hosts: the rows that are judged, and the run as its report tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from day2.hosts.model import Package, Scan, Service
from day2.ledger.store import Entry
from day2.operations.security_patching import compliance, facts, outcome
from day2.operations.security_patching.outcome import Told
from day2.validation import runner
from tests.unit.ledger.story import AT, Story
from tests.unit.patching.making import NOW, SET, environment, installed, scan
from tests.unit.patching.running import planned, tried

HERE = environment()
BEFORE = {each.name: scan(each.name) for each in HERE.hosts}
PATCHED = {
    "installed_digest": SET.digest, "reboot_expected": False, "rebooted": False, "healthy": True, "in_service": True,
    "postgres_servers": 0, "postgres_as_before": 0, "postgres_databases_unseen": 0, "postgres_collations_changed": 0,
    "postgres_extensions_failed": 0, "postgres_extensions_left": 0,
}  # fmt: skip
BACK = {"rolled_back": True, "healthy": True, "in_service": True}
LEFT_DRAINED = {"rolled_back": True, "in_service": False}
ILL = {"installed_digest": SET.digest, "in_service": False, "reboot_expected": False, "rebooted": False}


def done(host: str, **fields: Any) -> Scan:
    return installed("openssl", "zlib1g", host=host, **fields)


def told(*tries: dict[str, Any], **after: Scan) -> Told:
    """A run in which these hosts look different at its end."""
    now = BEFORE | {each.host: each for each in after.values()}
    return outcome.tell(HERE, planned(), list(tries), before=BEFORE, after=now)


def rows(made: Told) -> dict[str, dict[str, Any]]:
    fleet = compliance.fleet(HERE, made.after, {}, now=NOW)
    return {each["target"]: each for each in outcome.rows(made, fleet)}


def failed(made: Told) -> set[str]:
    return {f"{each.target}: {each.id}" for each in runner.run(list(rows(made).values()), facts.SUITE).failures()}


def test_a_host_that_keeps_its_patch_passes_every_check():
    made = told(tried("web-01", measures=PATCHED), one=done("web-01"))
    [row] = rows(made).values()
    assert (row["target"], row["packages_meant"], row["packages_running"]) == ("web-01", 2, 2)
    assert failed(made) == set()


def test_a_broken_canary_that_was_rolled_back_is_told_with_the_state_it_is_in_now():
    broken = tried("web-01", outcome="failed", why="answered 500", measures=ILL)
    made = told(broken, tried("web-01", "roll_back", measures=BACK))
    row = rows(made)["web-01"]
    assert row | {"rolled_back": True, "healthy": True, "in_service": True, "packages_running": 0} == row
    # Its databases were never looked at: the patch ended before.
    assert {each for each in failed(made) if "postgres" not in each} == {"web-01: running", "web-01: not_rolled_back"}
    assert {each.state for each in made.became if each.host == "web-01" and each.name == "openssl"} == {"rolled_back"}
    assert {each.outcome for each in made.courses if each.host != "web-01"} == {"not_attempted"}


def test_a_host_left_drained_after_its_rollback_was_not_put_back():
    broken = tried("web-01", outcome="failed", measures=ILL)
    made = told(broken, tried("web-01", "undo", outcome="failed", measures=LEFT_DRAINED))
    assert {"web-01: healthy", "web-01: in_service"} <= failed(made)


def test_a_host_that_was_patched_after_an_earlier_rollback_is_judged_by_its_patch():
    tries = [
        tried("web-01", outcome="failed", measures=ILL),
        tried("web-01", "roll_back", outcome="failed", measures=LEFT_DRAINED),
        tried("web-01", measures=PATCHED, attempt=2),
    ]
    assert failed(told(*tries, one=done("web-01"))) == set()


def test_a_rollback_that_was_killed_proves_nothing_of_the_hosts_health():
    tries = [tried("web-01", measures=PATCHED), tried("web-01", "roll_back", outcome="interrupted")]
    row = rows(told(*tries))["web-01"]
    assert (row["healthy"], row["in_service"]) == (None, None)


def test_what_the_host_looks_like_now_counts_more_than_what_its_patch_saw():
    stale = (Service("nginx.service", 41, ("/usr/lib/libssl.so.3",)),)
    made = told(tried("web-01", measures=PATCHED | {"stale_services": 0}), one=done("web-01", stale_services=stale))
    assert rows(made)["web-01"]["stale_services"] == 1


def test_a_host_that_nobody_could_look_at_afterwards_has_nothing_proven():
    made = outcome.tell(HERE, planned(), [tried("web-01", measures=PATCHED)], before=BEFORE, after={})
    row = rows(made)["web-01"]
    assert (row["scanned_after"], row["stale_services"], row["audit_clean"], row["late_updates"]) == (
        False, None, None, None,
    )  # fmt: skip
    assert {each.state for each in made.became if each.host == "web-01"} == {"failed"}


def test_updates_that_are_late_are_counted_for_their_own_host():
    old = replace(done("web-01"), packages=(*done("web-01").packages, Package("curl", "amd64", "1", "2", True)))
    made = told(tried("web-01", measures=PATCHED), tried("web-02", measures=PATCHED), one=old, two=done("web-02"))
    first = {("curl:amd64", "1", True): "2027-01-01T00:00:00Z"}
    fleet = compliance.fleet(HERE, made.after, first, now=NOW)
    assert {each["target"]: each["late_updates"] for each in outcome.rows(made, fleet)} == {"web-01": 1, "web-02": 0}


@pytest.mark.parametrize(
    ("word", "verdict"), [("succeeded", "PASSED"), ("failed", "FAILED")],
)  # fmt: skip
def test_the_report_tells_the_run_as_far_as_the_ledger_does(word: str, verdict: str):
    made = told(tried("web-01", measures=PATCHED, outcome=word), one=done("web-01"))
    run = outcome.run(made, ledger(word))
    assert (run.name, run.digest) == ("security_patching.production/manual__1", SET.digest)
    assert (run.verdict, run.hosts["web-01"], run.hosts["web-02"]) == (verdict, word, "not_attempted")
    assert [run.started.isoformat(), run.ended.isoformat()] == ["2026-11-23T02:00:00+00:00"] * 2
    assert run.states == made.became


def ledger(word: str) -> list[Entry]:
    """The entries of a run over one host."""
    named = {"operation": "security_patching", "dag_id": "security_patching.production", "run_id": "manual__1"}
    error = None
    if word == "failed":
        error = dict.fromkeys(("type", "target", "left", "next_step", "runbook"), "") | {"happened": "answered 500"}
    story = Story().plan("web-01", change="normal", act_steps=["patch"], **named).approval().lock("web-01")
    story.acted("web-01", step="patch", outcome=word, error=error, ended=AT)
    story.checks("web-01", passed=word == "succeeded")
    run = "security_patching.production/manual__1"
    return [replace(each, run=run) for each in story.entries]

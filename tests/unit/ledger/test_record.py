"""A record says what the run's entries say, no more, and always fits its schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from day2.errors import StepFailed
from day2.ledger import entries, record
from tests.unit.ledger.story import AT, Story, plan_body

ARTEFACT = {"uri": "s3://bucket/key", "sha256": "a" * 64, "size": 5, "retain_until": None}


def told(story: Story, **task_states: str) -> dict[str, Any]:
    made = record.build(story.info, story.entries, task_states)
    record.validate(made)
    return made


def good() -> Story:
    story = Story().plan("orders", "billing").approval().lock("orders", "billing")
    return story.acted("orders", artefacts=[ARTEFACT]).acted("billing").checks("orders", "billing")


def test_a_good_run_is_told_whole() -> None:
    made = told(good().tell("unlock", targets=["orders", "billing"]), plan="success", validate="success")
    assert made["verdict"] == "PASSED"
    assert made["record_id"] == "database_backup.production/manual__1#1"
    assert made["trigger"] == {"type": "manual", "user": "operator", "reason": "because", "ticket": None}
    assert made["targets"]["succeeded"] == ["orders", "billing"]
    assert made["measures"] == {"orders": {"backup": {"bytes": 5}}, "billing": {"backup": {"bytes": 5}}}
    assert made["artefacts"] == [ARTEFACT | {"step": "backup", "target": "orders"}]
    assert made["lock"] == {"targets": ["orders", "billing"], "ttl_seconds": 60, "taken_over": [], "released": True}
    assert [(step["target"], step["outcome"]) for step in made["steps"]] == [
        ("orders", "succeeded"),
        ("billing", "succeeded"),
    ]
    assert made["steps"][0]["evidence"]["outcome_seq"] == 5
    assert made["derived_from"]["entries"] == 9
    assert (made["tz"], made["policy_hash"], made["code_commit"], made["plan_digest"]) == (
        "Europe/Berlin",
        "p1",
        "abc",
        "d1",
    )


def test_the_same_entries_give_the_same_record() -> None:
    assert told(good()) == told(good())


def test_other_runs_and_later_attempts_are_not_read() -> None:
    story = good()
    story.entries.append(replace(story.entries[4], run="another/run", body={"attempt": 1}))
    first = story.info
    story.cleared().intent("orders", 2)
    assert record.build(first, story.entries, {}) == told(good())


def test_a_killed_worker_leaves_an_interrupted_step() -> None:
    made = told(Story().plan("orders").lock("orders").intent("orders").checks("orders", passed=False))
    assert made["verdict"] == "FAILED"
    assert made["steps"][0]["outcome"] == "interrupted"
    assert made["steps"][0]["ended"] is None
    assert made["targets"]["failed"] == ["orders"]


def test_a_retry_after_a_killed_worker_passes_and_both_tries_are_told() -> None:
    made = told(Story().plan("orders").intent("orders").acted("orders", 2).checks("orders"))
    assert made["verdict"] == "PASSED"
    assert [(step["try"], step["outcome"]) for step in made["steps"]] == [(1, "interrupted"), (2, "succeeded")]


def test_a_late_answer_of_a_worker_given_up_on_does_not_count_as_the_last_try() -> None:
    story = Story().plan("orders").intent("orders", 1).acted("orders", 2)
    assert told(story.outcome("orders", 1, outcome="failed").checks("orders"))["verdict"] == "PASSED"


def test_a_refused_plan_is_recorded_with_what_is_known_of_the_run() -> None:
    made = told(Story().refusal("plan"), plan="failed", backup="upstream_failed")
    assert (made["verdict"], made["reason"]) == ("FAILED", "plan refused: orders: no")
    assert (made["plan_digest"], made["targets"]["resolved"], made["operation"]) == (None, [], "database_backup")
    assert made["trigger"] == {"type": None, "user": None, "reason": None, "ticket": None}


def test_a_run_without_a_single_entry_has_a_record() -> None:
    made = told(Story(), plan="failed")
    assert (made["verdict"], made["derived_from"]) == ("FAILED", None)


def test_a_lock_that_was_waited_for_is_not_held_against_the_run() -> None:
    refused = Story().plan("orders").refusal("lock")
    assert told(refused)["verdict"] == "FAILED"
    made = told(refused.lock("orders").acted("orders").checks("orders"))
    assert made["verdict"] == "PASSED"
    assert len(made["refusals"]) == 1


def test_clearing_one_task_keeps_the_others_evidence() -> None:
    story = (
        Story()
        .plan("orders", "billing")
        .acted("orders")
        .intent("billing")
        .checks("orders")
        .checks("billing", passed=False)
    )
    assert told(story)["verdict"] == "PARTIAL"
    made = told(story.cleared().acted("billing", 2).checks("orders", "billing"))
    assert (made["attempt"], made["verdict"]) == (2, "PASSED")
    assert [step["attempt"] for step in made["steps"]] == [1, 1, 2]


def test_checks_from_before_a_step_acted_again_prove_nothing() -> None:
    story = good().cleared().acted("billing", 2)
    made = told(story, validate="success", **{"backup[billing]": "success"})
    assert made["targets"]["failed"] == ["billing"]
    assert made["verdict"] == "OVERRIDDEN", "validate is green and did not check what was done since"
    assert told(story)["verdict"] == "PARTIAL"


def test_a_step_that_follows_the_checks_does_not_undo_them() -> None:
    story = (
        Story()
        .plan("orders")
        .acted("orders")
        .checks("orders")
        .acted("orders", step="prune")
        .acted("orders", 2, step="prune")
    )
    info = replace(story.info, act_steps=("backup", "prune"))
    assert record.build(info, story.entries, {})["verdict"] == "PASSED"


def test_a_new_plan_makes_what_was_done_for_the_old_one_no_proof() -> None:
    story = good().cleared().plan("orders", "billing")
    made = told(story, **{"backup[orders]": "success", "backup[billing]": "success"})
    assert (made["verdict"], made["targets"]["not_attempted"]) == ("OVERRIDDEN", ["orders", "billing"])
    assert len(made["steps"]) == 2, "the first attempt's steps are told nevertheless"


def test_a_second_plan_that_is_refused_leaves_nothing_planned() -> None:
    made = told(good().cleared().refusal("plan"))
    assert (made["verdict"], made["targets"]["resolved"]) == ("FAILED", [])


def test_a_rejected_run_is_cancelled() -> None:
    made = told(Story().plan("orders", change="normal").approval("rejected"), approve="success", backup="skipped")
    assert (made["verdict"], made["approvals"][0]["decision"]) == ("CANCELLED", "rejected")


def test_a_target_is_excused_only_until_its_exception_expires() -> None:
    until = {"name": "billing", "not_applicable": {"reason": "being retired", "expiry": "2026-11-23"}}
    story = Story().plan("orders", until).acted("orders").checks("orders")
    made = told(story)
    assert (made["verdict"], made["targets"]["not_applicable"]) == ("PASSED", ["billing"])
    assert made["exceptions"] == [{"target": "billing", **until["not_applicable"], "valid": True}]  # type: ignore[dict-item]
    late = replace(story.info, started=story.info.started.replace(year=2027))
    assert record.build(late, story.entries, {})["verdict"] == "PARTIAL"


def test_a_check_that_could_not_be_evaluated_has_not_passed() -> None:
    story = good()
    story.entries[-1].body["checks"][0]["error"] = "no such column"
    assert told(story)["targets"]["failed"] == ["orders"]


def test_an_own_slot_that_was_suppressed_says_by_what() -> None:
    info = replace(Story().info, suppressed_by="change freeze CHG-12")
    made = record.build(info, [], {})
    assert (made["verdict"], made["reason"]) == ("SUPPRESSED", "change freeze CHG-12")


def test_a_record_that_does_not_fit_its_schema_is_refused_with_the_field() -> None:
    made = told(good()) | {"verdict": "GREEN"}
    with pytest.raises(
        StepFailed, match=r"database_backup\.production/manual__1#1: \$\.verdict: 'GREEN' is not one of"
    ):
        record.validate(made)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("plan", {"attempt": 1}, "plan.*schema: Field required"),
        ("plan", plan_body() | {"attempt": 1, "change": "big"}, "change: Input should be 'standard'"),
        ("unlock", {"attempt": "1", "targets": []}, "attempt: Input should be a valid integer"),
        (
            "checks",
            {"attempt": 1, "suite": "s", "passed": True, "checks": [{"id": "x"}]},
            r"checks\.0\.name: Field required",
        ),
    ],
)
def test_a_body_without_what_its_kind_needs_is_refused_where_it_is_written(kind: str, body: Any, message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        entries.check(kind, body)


def test_kinds_of_others_pass() -> None:
    entries.check("heartbeat", {"at": AT})

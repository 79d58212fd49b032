"""Every operation keeps the same safe shape. The graph is the contract, not a base class."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.timetables.base import TimeRestriction

ROOT = Path(__file__).parents[2]
STEPS = {"plan", "approve", "lock", "validate", "undo", "unlock", "record", "close"}
# What runs without an approval: it only looks, or it closes.
HARMLESS = {"scan", "plan", "approve"}
DRILL_STEPS = (
    *("declare", "fence", "replay", "promote", "route", "verify"),
    *("hold", "rejoin", "switch_back"),
)
HEAVY = {"alembic", "boto3", "botocore", "great_expectations", "pandas", "psycopg", "pyrage", "sqlglot", "zstandard"}


LOOKING = {
    "health_check": {"look", "tell", "ask_to_scale", "heartbeat", "record", "close"},
    "alert_drill": {"plan", "send", "confirm", "validate", "record", "close"},
}
# What of a looking run must not fail for it to be green; the close waits for it.
MUST_NOT_FAIL = {"health_check": {"tell", "ask_to_scale", "record"}, "alert_drill": {"send", "validate", "record"}}


def looking_ids() -> list[str]:
    """DAGs that only look, and tell: they have a contract of their own, below."""
    from day2 import inventory

    found = []
    for each in inventory.environments():
        if (policy := each.policies.health_check) is not None:
            found.append(f"health_check.{each.name}")
            found += [f"alert_drill.{each.name}"] if policy.alert_drill and policy.routes else []
    return found


def dag_ids() -> list[str]:
    """DAGs that change something."""
    from day2 import inventory

    everywhere = ("database_backup", "database_restore")
    found = [f"{operation}.{each.name}" for each in inventory.environments() for operation in everywhere]
    found += [f"dr_drill.{each.name}" for each in inventory.environments() if each.policies.dr_drill]
    found += [f"capacity_review.{each.name}" for each in inventory.environments() if each.policies.capacity_review]
    found += [
        f"performance_tuning.{each.name}" for each in inventory.environments() if each.policies.performance_tuning
    ]
    found += [f"scale_resource.{each.name}" for each in inventory.environments() if each.policies.scale_resource]
    return found + [f"security_patching.{each.name}" for each in inventory.environments() if patched(each)]


def patched(environment: Any) -> bool:
    return bool(environment.policies.security_patching and environment.patched)


@pytest.fixture(params=dag_ids())
def dag(request: pytest.FixtureRequest, bag: Any) -> Any:
    return bag.dags[request.param]


@pytest.fixture(params=looking_ids())
def looking(request: pytest.FixtureRequest, bag: Any) -> Any:
    return bag.dags[request.param]


@pytest.fixture(params=dag_ids() + looking_ids())
def any_dag(request: pytest.FixtureRequest, bag: Any) -> Any:
    return bag.dags[request.param]


def downstream(task: Any) -> set[str]:
    return task.get_flat_relative_ids(upstream=False)


def scheduled(dag: Any) -> Any:
    """The DAG's timetable as the scheduler has it: written down and read again."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable


def test_every_file_is_imported(bag: Any) -> None:
    assert bag.import_errors == {}


def test_there_is_no_dag_without_a_test(bag: Any) -> None:
    assert sorted(bag.dags) == sorted(dag_ids() + looking_ids())


def test_the_steps_have_the_same_names_everywhere(dag: Any) -> None:
    assert set(dag.task_ids) >= STEPS


def test_the_approver_sees_the_plan(dag: Any) -> None:
    assert "plan" in dag.get_task("approve").upstream_task_ids


def test_nothing_acts_before_the_approval(dag: Any) -> None:
    assert set(dag.task_ids) - HARMLESS <= downstream(dag.get_task("approve"))


def test_a_rejection_skips_everything_whatever_its_trigger_rule(dag: Any) -> None:
    assert dag.get_task("approve").ignore_downstream_trigger_rules is True


def test_an_unanswered_approval_expires(dag: Any) -> None:
    assert dag.get_task("approve").response_timeout.total_seconds() > 0
    assert dag.get_task("approve").defaults is None, "an approval must never be given by running out of time"


def test_everything_between_is_locked(dag: Any) -> None:
    acting = set(dag.task_ids) - HARMLESS - {"lock"}
    assert acting <= downstream(dag.get_task("lock"))


@pytest.mark.parametrize("step", ["unlock", "record"])
def test_leases_end_and_the_record_is_written_whatever_happens(dag: Any, step: str) -> None:
    task = dag.get_task(step)
    assert task.is_teardown
    assert not task.on_failure_fail_dagrun, "the record would stand for the run, and hide that it failed"
    assert task.trigger_rule == "all_done_setup_success"


def test_the_record_comes_after_everything_but_the_close(any_dag: Any) -> None:
    before = any_dag.get_task("record").get_flat_relative_ids(upstream=True)
    assert set(any_dag.task_ids) - {"record", "close"} <= before


def test_green_means_everything_succeeded_and_was_recorded(dag: Any) -> None:
    close = dag.get_task("close")
    assert dag.leaves == [close]
    # Patching skips the waves that nobody chose, and rollbacks that are not needed; tuning what it puts off.
    skips = dag.dag_id.startswith(("security_patching.", "performance_tuning."))
    assert close.trigger_rule == ("none_failed" if skips else "all_success")
    acting = {
        task.task_id for task in dag.tasks if task.task_id.count(".") or task.task_id in ("restore", "tune", "scale")
    }
    if dag.dag_id.startswith("dr_drill."):
        acting = set(DRILL_STEPS)
    # A mapped group is waited for through its last task.
    last = {each for each in acting if not (dag.get_task(each).downstream_task_ids & acting)}
    assert close.upstream_task_ids >= {"validate", "record"} | last


def test_every_dag_says_whose_it_is_and_what_to_do(any_dag: Any) -> None:
    operation, environment = any_dag.dag_id.split(".")
    assert {"day2", f"operation:{operation}", f"environment:{environment}"} <= any_dag.tags
    assert any(tag.startswith("tier:") for tag in any_dag.tags)
    assert all(task.owner == any_dag.get_task("close").owner != "airflow" for task in any_dag.tasks)
    assert any_dag.doc_md == (ROOT / "include/runbooks" / f"{operation}.md").read_text()


def test_one_run_at_a_time_and_no_backlog(any_dag: Any) -> None:
    # A drill that waits days for its signature must not keep an emergency from starting: leases keep them apart.
    assert any_dag.max_active_runs == (4 if any_dag.dag_id.startswith("dr_drill.") else 1)
    assert any_dag.catchup is False
    assert any_dag.start_date is None


def test_the_form_asks_why_and_offers_a_dry_run(any_dag: Any) -> None:
    assert {"reason", "ticket", "dry_run"} <= set(any_dag.params)
    assert any_dag.params["dry_run"] is False


def test_unpausing_never_fires_a_tick_that_was_missed(any_dag: Any) -> None:
    if any_dag.schedule is None:
        return
    anything = TimeRestriction(earliest=None, latest=None, catchup=False)
    following = scheduled(any_dag).next_dagrun_info(last_automated_data_interval=None, restriction=anything)
    # One that only events start has no tick.
    assert following is None or following.run_after > datetime.now(UTC)


def test_what_only_looks_has_nothing_that_changes(looking: Any) -> None:
    assert set(looking.task_ids) == LOOKING[looking.dag_id.partition(".")[0]]


def test_a_look_is_recorded_whatever_happens(looking: Any) -> None:
    record = looking.get_task("record")
    assert record.is_teardown
    assert not record.on_failure_fail_dagrun, "the record would stand for the run, and hide that it failed"
    assert record.trigger_rule == "all_done_setup_success"


def test_a_look_is_green_when_nothing_that_must_hold_failed(looking: Any) -> None:
    close = looking.get_task("close")
    assert looking.leaves == [close]
    # Mostly nobody is asked to scale, and no person to confirm: that is skipped, and is no failure.
    assert close.trigger_rule == "none_failed"
    assert close.upstream_task_ids >= MUST_NOT_FAIL[looking.dag_id.partition(".")[0]]


def test_the_schedule_of_a_look_is_the_policys(looking: Any) -> None:
    from day2 import inventory

    operation, name = looking.dag_id.split(".")
    [here] = [each for each in inventory.environments() if each.name == name]
    policy = here.policies.health_check
    assert policy is not None
    assert policy.alert_drill is not None
    wanted = policy.schedule if operation == "health_check" else policy.alert_drill.schedule
    timetable = scheduled(looking)
    assert timetable.summary == wanted
    assert here.timezone in str(timetable.serialize())


def test_a_sign_of_life_says_so_also_after_a_failure(bag: Any) -> None:
    dag = bag.dags["health_check.production"]
    beat = dag.get_task("heartbeat")
    assert beat.trigger_rule == "all_done"
    assert beat.upstream_task_ids == {"tell", "ask_to_scale"}, "it speaks for the whole look"


def test_whoever_is_asked_what_arrived_has_a_deadline(bag: Any) -> None:
    confirm = bag.dags["alert_drill.production"].get_task("confirm")
    assert confirm.response_timeout.total_seconds() > 0
    assert confirm.defaults is None, "a test is never seen to arrive by running out of time"
    assert "send" in confirm.upstream_task_ids
    validate = bag.dags["alert_drill.production"].get_task("validate")
    assert validate.trigger_rule == "all_done", "what nobody confirmed is judged, too"
    assert "confirm" in validate.upstream_task_ids


def test_a_drill_goes_step_by_step(bag: Any) -> None:
    """No step may begin while the one before it runs, for any database; the probe runs beside all of them."""
    dag = bag.dags["dr_drill.production"]
    for before, after in itertools.pairwise(DRILL_STEPS):
        assert before in dag.get_task(after).get_flat_relative_ids(upstream=True), (before, after)
        assert dag.get_task(after).trigger_rule == "all_success"
    assert not set(DRILL_STEPS) & dag.get_task("watch").get_flat_relative_ids(upstream=True)
    assert "watch" not in dag.get_task("clear_up").get_flat_relative_ids(upstream=True), "it ends the probe"


def test_a_drill_is_cleared_up_whatever_happens(bag: Any) -> None:
    task = bag.dags["dr_drill.production"].get_task("clear_up")
    assert task.is_teardown
    assert task.trigger_rule == "all_done_setup_success"
    assert {*DRILL_STEPS, "undo"} <= task.get_flat_relative_ids(upstream=True)
    # What is between the teardowns is skipped at once when somebody ends the run.
    assert {"unlock", "record"} <= task.downstream_task_ids
    assert "record" in bag.dags["dr_drill.production"].get_task("unlock").downstream_task_ids


def test_no_lease_is_held_while_a_scorecard_waits_for_its_signature(bag: Any) -> None:
    dag = bag.dags["dr_drill.production"]
    assert "unlock" in dag.get_task("sign_off").get_flat_relative_ids(upstream=True)
    assert dag.get_task("sign_off").response_timeout.total_seconds() > 0
    assert dag.get_task("sign_off").defaults is None


def test_a_wave_begins_when_nothing_of_the_one_before_runs(bag: Any) -> None:
    dag = bag.dags["security_patching.production"]
    for before, after in itertools.pairwise(("canary", "early", "broad")):
        opened = dag.get_task(f"{after}.open_wave")
        assert f"{before}.roll_back" in opened.upstream_task_ids
        assert opened.trigger_rule == "all_done", "it says itself why it does not begin"
    for wave, at_once in (("canary", 1), ("early", 2), ("broad", 2)):
        assert dag.get_task(f"{wave}.patch").max_active_tis_per_dagrun == at_once
        assert dag.get_task(f"{wave}.patch").retries > 0, "a host whose worker died is taken up again"


def test_no_host_is_left_half_patched_whatever_happens(bag: Any) -> None:
    dag = bag.dags["security_patching.production"]
    task = dag.get_task("undo")
    assert task.is_teardown
    assert task.trigger_rule == "all_done_setup_success"
    assert {"unlock", "record"} <= task.downstream_task_ids


def test_one_change_is_tried_at_a_time_and_none_is_left_half_made(bag: Any) -> None:
    dag = bag.dags["performance_tuning.production"]
    assert dag.get_task("tune").max_active_tis_per_dagrun == 1
    assert dag.get_task("tune").retries > 0, "a change whose worker died is put in order"
    undo = dag.get_task("undo")
    assert undo.is_teardown
    assert {"unlock", "record"} <= undo.downstream_task_ids


def test_a_review_that_nobody_signed_is_withdrawn_and_holds_no_lease_meanwhile(bag: Any) -> None:
    dag = bag.dags["capacity_review.production"]
    signed, undo = dag.get_task("sign_off"), dag.get_task("undo")
    assert {"unlock", "report"} <= signed.get_flat_relative_ids(upstream=True)
    assert signed.response_timeout.total_seconds() > 0
    assert signed.defaults is None
    assert undo.is_teardown
    assert "sign_off" in undo.upstream_task_ids
    assert "record" in undo.downstream_task_ids
    assert dag.get_task("review").retries > 0, "it only reads: a worker that died is replaced"


def test_one_step_is_verified_and_brought_back_whatever_happens(bag: Any) -> None:
    dag = bag.dags["scale_resource.production"]
    assert dag.get_task("scale").retries > 0, "a size that a killed worker asked for is verified"
    undo = dag.get_task("undo")
    assert undo.is_teardown
    assert {"unlock", "record"} <= undo.downstream_task_ids


def test_health_checks_and_scaling_mean_the_same_asset(bag: Any) -> None:
    from airflow.sdk import DAG, AssetOrTimeSchedule
    from airflow.timetables.simple import AssetTriggeredTimetable

    from day2 import inventory
    from day2.airflow import scaling

    timetable = scheduled(bag.dags["scale_resource.production"])
    assert isinstance(timetable, AssetTriggeredTimetable)
    named = [(each.name, each.uri) for _, each in timetable.asset_condition.iter_assets()]
    assert named == [("day2-scaling-production", "x-day2://production/scaling")]
    [here] = [each for each in inventory.environments() if each.name == "production"]
    assert here.policies.scale_resource is not None
    nightly = here.policies.scale_resource.model_copy(update={"schedule": "0 20 * * *"})
    both = scaling.schedule(nightly, here)
    assert isinstance(both, AssetOrTimeSchedule)
    written = scheduled(DAG("both", schedule=both))
    assert [each.name for _, each in written.asset_condition.iter_assets()] == ["day2-scaling-production"]
    anything = TimeRestriction(earliest=None, latest=None, catchup=False)
    following = written.next_dagrun_info(last_automated_data_interval=None, restriction=anything)
    assert following.run_after > datetime.now(UTC), "unpausing fires no tick that was missed"


def test_targets_are_the_environments_own(bag: Any) -> None:
    from day2 import inventory

    for environment in inventory.environments():
        names = [each.name for each in environment.databases]
        schema = bag.dags[f"database_backup.{environment.name}"].params.get_param("targets").schema
        assert schema["items"]["enum"] == names


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_parsing_a_dag_file_imports_nothing_heavy(path: Path) -> None:
    # Airflow imports a few of these itself, some of them lazily: what counts is what our file adds.
    probe = f"""
import sys
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, task, task_group
before = set(sys.modules)
import runpy
runpy.run_path({str(path)!r})
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""
    env = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)
    assert HEAVY & set(done.stdout.splitlines()[-1].split()) == set()


def test_a_broken_environment_is_an_import_error_and_the_others_stay(tmp_path: Path) -> None:
    for name in ("production", "staging"):
        (tmp_path / f"{name}.yaml").write_text((ROOT / "include/environments" / f"{name}.yaml").read_text())
    broken = (tmp_path / "staging.yaml").read_text().replace("schedule:", "scedule:", 1)
    (tmp_path / "staging.yaml").write_text(broken)
    line = 1 + broken.splitlines().index(next(each for each in broken.splitlines() if "scedule:" in each))
    probe = f"""
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(ROOT / "dags")!r})
print("DAGS", *sorted(bag.dags))
print("ERRORS", *bag.import_errors.values())
"""
    env = os.environ | {
        "PYTHONPATH": str(ROOT / "include"),
        "DAY2_INVENTORY": str(tmp_path),
        "DAY2_HOME": str(ROOT / "include"),
    }
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)
    dags, _, errors = done.stdout.partition("DAGS")[2].partition("ERRORS")
    assert "database_backup.production" in dags
    assert "staging" not in dags
    assert f"staging.yaml:{line}:" in errors
    assert "schedule" in errors

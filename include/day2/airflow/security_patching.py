"""Security patching's tasks: thin, with all that is worth testing in day2.hosts and day2.operations."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2.airflow import connections, findings, patients, rollout, run, steps, telling
from day2.errors import Day2Error
from day2.inventory.model import Environment
from day2.inventory.patching import WAVES, PatchPolicy
from day2.operations.security_patching import budget

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.operations.security_patching.compliance import Fleet
    from day2.operations.security_patching.patient import Patient

log = logging.getLogger("day2")
OPERATION = "security_patching"
ACT_STEPS = ("patch",)
TARGET_NAME = "{{ target }}"
# A host's task may die, or lose its host for a while: it takes up what runs there.
TRIES = 3
RETRY_DELAY = timedelta(seconds=10)


def waves(here: Environment) -> list[str]:
    """The waves that this environment has hosts for, in the order they run."""
    return [wave for wave in WAVES if any(each.wave == wave for each in here.patched)]


def size(here: Environment, policy: PatchPolicy, wave: str) -> tuple[int, int]:
    """How many hosts a wave has, and how many of them may be out of service at once."""
    hosts = [each for each in here.patched if each.wave == wave]
    return len(hosts), budget.allowed(policy.waves.of(wave).disruption_budget, len(hosts))


@task(show_return_value_in_logs=False)
@telling.explained
def scan(environment_name: str) -> dict[str, Any]:
    """Look at every chosen host, ten at a time: what is installed, what could be, what stands in the way."""
    from day2.operations.security_patching import planning

    here, now = steps.environment(environment_name), run.current()
    with connections.ledger(here) as ledger:
        try:
            chosen = rollout.chosen(ledger, here, now)
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        scans, unreachable = patients.scan(here, chosen)
        kept = rollout.write_scan(ledger, here, now, step="scan", scans=scans, unreachable=unreachable)
    return {
        "hosts": [each.name for each in chosen],
        # Of a canary all that is installed counts: later hosts may wait for what it has already.
        "scans": {
            name: (each if here.host(name).wave == "canary" else planning.brief(each)).as_dict()
            for name, each in scans.items()
        },
        "unreachable": unreachable,
        "kept": kept["uri"],
    }


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str, scanned: dict[str, Any]) -> dict[str, Any]:
    """Freeze the set on the canary, look at every gate, and write down what would be done."""
    from day2.hosts.model import Scan
    from day2.operations.security_patching import briefing, history, planning, sla, surroundings

    here, now = steps.environment(environment_name), run.current()
    at = datetime.now(UTC)
    scans = {name: Scan.from_dict(each) for name, each in scanned["scans"].items()}
    with connections.ledger(here) as ledger:
        try:
            request, frozen = rollout.requested(ledger, here, now, scanned["hosts"])
            names = surroundings.databases(here, scanned["hosts"])
            known = sla.lookup(history.sightings(ledger, here.name))
            seen = planning.Seen(
                scans, scanned["unreachable"], dict(patients.proofs(here, names)), known, rollout.freezes(here, at)
            )
            frozen = frozen or rollout.freeze(request, seen, run_key=now.key)
            seen = replace(seen, scans={name: sla.enriched(each, frozen.advisories) for name, each in scans.items()})
            planned = planning.make(request, seen, frozen.patch_set, now=at)
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        planned |= {
            "lease_seconds": patients.policy(here).lease_ttl.total_seconds(),
            "scans": scanned["kept"],
            "advisories": [[*key, list(ids)] for key, ids in frozen.advisories.items()],
            "carried": frozen.carried,
            "briefing": briefing.lines(planned),
        }
        steps.write_plan(ledger, planned)
    return planned


@task(trigger_rule=TriggerRule.ALL_DONE)
@telling.explained
def open_wave(planned: dict[str, Any] | None, wave: str) -> list[dict[str, Any]]:
    """Whether this wave may begin: what became of the one before, its bake time, the window, the budget."""
    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        rollout.gate(ledger, here, planned, wave)
    targets = [each for each in planned["targets"] if each["wave"] == wave and not each["blocked"]]
    log.info("wave %s: %s", wave, ", ".join(each["name"] for each in targets) or "no host of this plan")
    return targets


@task(map_index_template=TARGET_NAME, retries=TRIES - 1, retry_delay=RETRY_DELAY)
@telling.explained
def patch(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """One host: drain, install exactly the frozen set, restart or reboot, prove it, ask its health, put it back."""
    from day2.operations.security_patching import patient, progress

    name, now = target["name"], run.current()
    get_current_context()["target"] = name
    here = steps.environment(planned["environment"])
    with connections.ledger(here) as ledger:
        rollout.wait_for_turn(ledger, here, planned, name)
    with steps.acting(planned, approved, step=progress.PATCH, target=name) as outcome:
        try:
            patient.patch(patients.patient(here, planned, name, run=now.key), outcome.measures)
        except Day2Error as error:
            outcome.measures[progress.AGAIN] = error.transient and now.try_number < TRIES
            raise


@task(map_index_template=TARGET_NAME, trigger_rule=TriggerRule.ALL_DONE, retries=1, retry_delay=RETRY_DELAY)
@telling.explained
def roll_back(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """A host that failed gets its earlier versions back; its whole wave does, where the policy says so."""
    from day2.operations.security_patching import history, progress, waves

    name, now = target["name"], run.current()
    get_current_context()["target"] = name
    here = steps.environment(planned["environment"])
    with connections.ledger(here) as ledger:
        standing = progress.rollout(planned, history.tries(ledger, now.key))
    wave = next(each for each in standing.waves if name in each.hosts)
    meant = waves.to_roll_back(progress.over(standing, wave), wave, patients.policy(here).rollback)
    if name not in meant:
        raise AirflowSkipException("there is nothing to roll back")
    with steps.acting(planned, approved, step=progress.ROLL_BACK, target=name, finishing=True) as outcome:
        _roll_back(patients.patient(here, planned, name, run=now.key), outcome)


@task(trigger_rule=TriggerRule.ALL_DONE, retries=1, retry_delay=RETRY_DELAY)
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Leave no host half-way, however the run ended: what was begun and not ended is rolled back."""
    from day2.operations.security_patching import history, progress

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        known = progress.hosts(planned, history.tries(ledger, now.key))
    left = [name for name, each in known.items() if each.state == "busy" or _never_rolled_back(each)]
    failed = []
    for name in left:
        try:
            with steps.acting(planned, approved, step=progress.UNDO, target=name, finishing=True) as outcome:
                _roll_back(patients.patient(here, planned, name, run=now.key), outcome)
        except Day2Error as error:  # the others are cleared up all the same
            log.error("%s", error)
            failed.append(name)
    if failed:
        raise AirflowFailException(f"left as they are, and maybe drained: {', '.join(failed)}")
    log.info("no host is left half-way")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def inspect(planned: dict[str, Any]) -> dict[str, Any]:
    """Look at every host again, those outside of the plan too: what is there now, not what the steps believe."""
    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        scans, unreachable = patients.scan(here, here.patched)
        kept = rollout.write_scan(ledger, here, now, step="inspect", scans=scans, unreachable=unreachable)
    return {"kept": kept["uri"], "unreachable": unreachable}


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any], inspected: dict[str, Any]) -> None:
    """Judge each host that was touched by what it runs now."""
    from day2 import validation
    from day2.operations.security_patching import facts, outcome

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        told = _told(ledger, here, planned, inspected)
        rows = outcome.rows(told, _fleet(ledger, here, planned, told))
        result = validation.run(rows, facts.SUITE)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("not every host is as it must be; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def report(planned: dict[str, Any], inspected: dict[str, Any]) -> dict[str, Any]:
    """How the fleet stands: one page, and CSV files for whoever counts; stored as evidence."""
    from day2.operations.security_patching import fleet_csv, history
    from day2.operations.security_patching import report as page

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        fleet = _fleet(ledger, here, planned, _told(ledger, here, planned, inspected))
        summary = {"attempt": now.attempt, "environment": here.name, "summary": fleet.summary.as_dict()}
        ledger.append(history.STANDING, run=now.key, body=summary)
        fleet = replace(fleet, trend=history.trend(ledger, here.name))
        states = fleet.run.states if fleet.run else ()
        files = {
            "report.html": page.render(fleet),
            "due.csv": fleet_csv.due(fleet),
            "states.csv": fleet_csv.states(states),
        }
        made = findings.publish(ledger, here, "patching", files)
    return made["report.html"]


def _roll_back(one: Patient, outcome: Any) -> None:
    from day2.operations.security_patching import patient

    try:
        patient.roll_back(one, outcome.measures)
    finally:
        back = "its earlier versions are back" if outcome.measures.get("rolled_back") else "nothing was taken back"
        service = "in service" if outcome.measures.get("in_service") else "NOT in service"
        outcome.left = f"{one.name}: {back}; it is {service}"
        log.info("%s", outcome.left)


def _never_rolled_back(known: Any) -> bool:
    return bool(known.state == "failed" and known.rolled_back is None)


def _told(ledger: Ledger, here: Environment, planned: dict[str, Any], inspected: dict[str, Any]) -> Any:
    from day2.operations.security_patching import history, outcome

    store = connections.store(findings.repository(here))
    before, after = (history.unpacked(store, uri) for uri in (planned["scans"], inspected["kept"]))
    return outcome.tell(here, planned, history.tries(ledger, run.current().key), before=before, after=after)


def _fleet(ledger: Ledger, here: Environment, planned: dict[str, Any], told: Any) -> Fleet:
    """How the fleet stands now, with the advisories that the plan learned from the packages themselves."""
    from day2.operations.security_patching import compliance, history, outcome, sla

    known = {(name, version): tuple(ids) for name, version, ids in planned["advisories"]}
    scans = {name: sla.enriched(each, known) for name, each in told.after.items()}
    first = sla.lookup(history.sightings(ledger, here.name))
    own = list(ledger.entries(run=run.current().key))
    return compliance.fleet(here, scans, first, now=datetime.now(UTC), run=outcome.run(told, own))

"""The drill's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling, ways
from day2.errors import Day2Error, Unavailable

if TYPE_CHECKING:
    from day2.inventory.model import Environment
    from day2.ledger import Outcome
    from day2.operations.dr_drill.strategy import Measures, Strategy
    from day2.operations.dr_drill.verify import Question
    from day2.postgres.server import Server

log = logging.getLogger("day2")
OPERATION = "dr_drill"
TARGET_NAME = "{{ target }}"
MODES = {
    "drill": "Drill: fail over, hold, fail back",
    "live": "LIVE: an unplanned failover; stays in the recovery region",
    "failback": "Failback: from wherever a failover left the servers",
}
# Up to here a policy that changed since the approval stops the drill; from here on stopping is the greater harm.
BEGINS = ("watch", "declare", "fence")
PROBE_SECONDS = 60.0
WARM_UP = 3


@dataclass(frozen=True)
class Asked:
    """Which target a step is for, of which plan, in which environment."""

    here: Environment
    planned: dict[str, Any]
    target: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.target["name"])


def acts(function: Callable[[Strategy, Asked], Measures]) -> Any:
    """A step: a task mapped over the targets, which does nothing in a mode that has no such step.

    Around it: approval, lease, intent and outcome; and after it, also when it failed, the state that every
    server is in and whether going back is still free.
    """

    def told(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
        step = function.__name__
        if step not in planned["act_steps"]:
            get_current_context()["target"] = target["name"]  # else Airflow names it after the whole target
            log.info("not part of mode %s: nothing is done", planned["mode"])
            return
        finishing = step not in BEGINS
        with steps.acting(planned, approved, step=step, target=target["name"], finishing=finishing) as outcome:
            here = steps.environment(planned["environment"])
            way = ways.way(here, planned, target["name"])
            try:
                outcome.measures |= function(way, Asked(here, planned, target))
            except Day2Error as error:
                # What was measured of a recovery that is not as it must be.
                outcome.measures |= getattr(error, "measures", {})
                raise
            finally:
                _tell_state(way, outcome)

    told.__name__, told.__qualname__, told.__doc__ = function.__name__, function.__qualname__, function.__doc__
    return task(map_index_template=TARGET_NAME)(telling.explained(told))


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """The charter, and whether everything is ready. Red means no start."""
    from day2.operations.dr_drill import planning, readiness

    here, now = steps.environment(environment_name), run.current()
    with connections.ledger(here) as ledger:
        try:
            chosen = inventory.select(here, list(now.params["targets"]))
            declared = now.params.get("declared_at")
            request = planning.Request(
                environment=here,
                databases=tuple(here.database(each.name) for each in chosen),
                mode=now.params["mode"],
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                declared_at=datetime.fromisoformat(declared) if declared else None,
                policy_hash=inventory.policy_hash(here),
            )
            chosen_ways = {each.name: ways.strategy(here, each, mode=request.mode) for each in request.databases}
            found = {name: way.readiness() for name, way in chosen_ways.items()}
            for name, findings in found.items():
                telling.say(f"Readiness of {name}", [readiness.told(each) for each in findings])
            planned = planning.make(request, found, {name: way.planned() for name, way in chosen_ways.items()})
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        policy = ways.policy(here)
        planned |= {"lease_seconds": policy.lease_ttl.total_seconds(), "briefing": planning.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task(map_index_template=TARGET_NAME, retries=3)
@telling.explained
def watch(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """The outside probe: writes and reads through the clients' endpoint, from now until `clear_up`."""
    from day2.ledger import probe
    from day2.operations.dr_drill import watch as probing

    name, now = target["name"], run.current()
    with steps.acting(planned, approved, step="watch", target=name) as outcome:
        here = steps.environment(planned["environment"])
        way = ways.way(here, planned, name)
        watched = probing.Watched(name, way.endpoint, now.key, way.servers)
        with connections.ledger(here) as ledger:
            sink = probe.Sink(ledger, now.key, name, now.attempt)
            outcome.measures |= probing.watch(watched, sink, seconds=planned["lease_seconds"])


@acts
def declare(way: Strategy, ask: Asked) -> Measures:
    """t0. Looks once more whether all is ready: an approval may be hours old."""
    told: Measures = {}
    if ask.planned["mode"] == "drill":
        told |= _ready_still(way)
        _wait_for_probe(ask, warm_up=ask.target["strategy"] == "failover")
    at = ask.planned["declared_at"] or datetime.now(UTC).isoformat()
    log.info("%s: declared at %s (clock of %s): the RTO runs", ask.name, at, run.clock())
    return told | {"declared_at": at, "clock": run.clock()}


@acts
def fence(way: Strategy, ask: Asked) -> Measures:
    """Stop the old primary, and prove that it takes no writes. Going back is free until `promote`."""
    return way.fence()


@acts
def replay(way: Strategy, ask: Asked) -> Measures:
    """Wait until the standby has replayed everything it received."""
    return way.replay()


@acts
def promote(way: Strategy, ask: Asked) -> Measures:
    """POINT OF NO RETURN: the recovery region takes over. From here going back costs a failback."""
    if ask.planned["mode"] == "live" or ask.target["strategy"] == "failover":
        log.warning("%s: point of no return: from here going back costs a failback", ask.name)
    return way.promote()


@acts
def route(way: Strategy, ask: Asked) -> Measures:
    """Move the endpoint that clients use, and prove where they land."""
    return way.route()


@acts
def verify(way: Strategy, ask: Asked) -> Measures:
    """Ask the outside probe: are reads and writes accepted again? Measure RTO and RPO from what it saw."""
    from day2.operations.dr_drill import verify as verifying

    with connections.ledger(ask.here) as ledger:
        return verifying.verify(ledger, _question(way, ask, expected=way.acting()))


@acts
def rejoin(way: Strategy, ask: Asked) -> Measures:
    """Failback, first half: the old primary follows the new one, rewound or copied anew."""
    return way.rejoin()


@acts
def switch_back(way: Strategy, ask: Asked) -> Measures:
    """Failback, second half: planned and without loss, until both servers are what they were, seen from outside."""
    from day2.operations.dr_drill import verify as verifying

    measures = way.switch_back()
    home = way.home()
    if home is not None:
        with connections.ledger(ask.here) as ledger:
            measures |= verifying.after_failback(ledger, _question(way, ask, expected=home))
    return measures


@task(trigger_rule=TriggerRule.ONE_FAILED)
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """After a failure: back to normal where that is free; otherwise the state stays, and is told."""
    _settle(planned, approved, step="undo")


@task(retries=2)
@telling.explained
def clear_up(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Always, also after a cancel: end the probe, remove what the drill made, prove that nothing is left."""
    if planned is None or _skips(planned):
        raise AirflowSkipException("nothing was touched")
    here, now = steps.environment(planned["environment"]), run.current()
    failures = []
    for target in planned["targets"]:
        name = target["name"]
        try:
            _end_probe(here, now, name)
            with steps.acting(planned, approved, step="clear_up", target=name, finishing=True) as outcome:
                way = ways.way(here, planned, name)
                outcome.measures["settled"] = way.settle()
                outcome.measures |= way.clear_up()
                _tell_state(way, outcome)
        except Day2Error as error:  # the next target is cleared up nevertheless
            log.exception("%s: could not be cleared up", name)
            failures.append(error)
    if failures:
        raise failures[0]


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Judge what was measured against the objectives, and what is left."""
    from day2 import validation
    from day2.ledger import evidence
    from day2.operations.dr_drill import facts

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        measured = evidence.gather(list(ledger.entries(run=now.key))).measures
        rows = [
            facts.row(
                each["name"],
                measured.get(each["name"], {}),
                here.drill_policy(here.database(each["name"])),
                mode=planned["mode"],
            )
            for each in planned["targets"]
        ]
        result = validation.run(rows, facts.SUITE)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("the drill did not show what it must; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def scorecard(planned: dict[str, Any]) -> dict[str, Any]:
    """One page with everything, stored as evidence; and a corrective action for each gap."""
    from day2.operations.dr_drill import corrective
    from day2.operations.dr_drill import scorecard as page

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        opened = corrective.write(
            ledger, run=now.key, attempt=now.attempt, owner=here.owner, due=ways.policy(here).action_due
        )
        telling.say("Corrective actions", [str(each) for each in opened] or ["none"])
        kept = findings.repository(here)
        made = page.publish(ledger, run=now.key, store=connections.store(kept), lock=kept.object_lock)
        ledger.append(
            "evidence", run=now.key, body={"attempt": now.attempt, "step": "scorecard", "artefacts": [made.artefact]}
        )
    for line in made.briefing:
        log.info("%s", line)
    return {**made.artefact, "briefing": made.briefing}


def _tell_state(way: Strategy, outcome: Outcome) -> None:
    outcome.measures |= {"state": way.where(), "safe_to_abort": way.safe_to_abort()}
    free = "going back is free" if outcome.measures["safe_to_abort"] else "going back costs a failback"
    log.info("%s; %s", outcome.measures["state"], free)


def _settle(planned: dict[str, Any] | None, approved: dict[str, Any] | None, *, step: str) -> None:
    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here = steps.environment(planned["environment"])
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, run.current())
    for target in planned["targets"]:
        with steps.acting(planned, approved, step=step, target=target["name"], finishing=True) as outcome:
            way = ways.way(here, planned, target["name"])
            outcome.measures |= way.settle()
            _tell_state(way, outcome)
            outcome.left = way.where()
            telling.say(f"By hand, for {target['name']}", way.by_hand())


def _skips(planned: dict[str, Any]) -> bool:
    with connections.ledger(steps.environment(planned["environment"])) as ledger:
        return not any(True for _ in ledger.entries(kind="lock", run=run.current().key))


def _ready_still(way: Strategy) -> dict[str, Any]:
    from day2.operations.dr_drill import readiness

    found = way.readiness()
    readiness.red(found)
    return {"readiness": [asdict(each) for each in found], "readiness_red": sum(each.forbids for each in found)}


def _question(way: Strategy, ask: Asked, *, expected: Server) -> Question:
    from day2.operations.dr_drill.verify import Question

    return Question(
        run=run.current().key,
        target=ask.name,
        endpoint=way.endpoint,
        expected=expected,
        policy=ask.here.drill_policy(ask.here.database(ask.name)),
        services=ways.services(ask.here, ask.name) if ask.target["strategy"] == "failover" else (),
        connect=connections.server,
    )


def _wait_for_probe(ask: Asked, *, warm_up: bool) -> None:
    """The outside probe must run before anything is broken; in a failover it must have seen writes succeed."""
    from day2.ledger import probe

    now = run.current()
    deadline = time.monotonic() + PROBE_SECONDS
    with connections.ledger(ask.here) as ledger:
        while time.monotonic() < deadline:
            seen = probe.read(ledger, now.key, ask.name)
            through = [each for each in seen if each.via == "endpoint"]
            if through and (not warm_up or sum(each.wrote for each in through) >= WARM_UP):
                return
            time.sleep(0.3)
    last = through[-1].said if through else "it has not reported at all"
    raise Unavailable(
        f"the outside probe sees no writes succeed: {last}",
        target=ask.name,
        left="nothing was touched",
        next_step="look at the log of the task `watch`; check the endpoint's connection",
        runbook="The outside probe does not run",
    )


def _end_probe(here: Environment, now: run.Run, name: str) -> None:
    """Ask it to end, and wait until it has: it must not write while its table is dropped."""
    from day2.ledger import probe

    with connections.ledger(here) as ledger:
        probe.ask_to_stop(ledger, now.key, name, attempt=now.attempt)
        deadline = time.monotonic() + PROBE_SECONDS / 2
        while time.monotonic() < deadline:
            ends = [each.body for each in ledger.entries(kind="outcome", run=now.key) if each.body["step"] == "watch"]
            if any(each["target"] == name for each in ends):
                return
            time.sleep(0.3)
    log.warning("%s: the outside probe has not ended; what it writes from now on is swept by the next drill", name)

"""The health check's tasks: look, tell, and a sign of life; with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, notifiers, run, scaling, sources, steps, telling
from day2.errors import Day2Error
from day2.inventory import Environment, HealthPolicy

if TYPE_CHECKING:
    from day2.ledger import Ledger, Outcome
    from day2.ledger.metrics import Metrics
    from day2.operations.health_check.cycle import Judged, Looked
    from day2.operations.health_check.messages import Message
    from day2.operations.health_check.notify import Try

log = logging.getLogger("day2")
OPERATION = "health_check"
ACT_STEPS = ("look",)
RETRY_DELAY = timedelta(seconds=10)


def policy(here: Environment) -> HealthPolicy:
    """The environment's policy, which it has: there is no DAG without one."""
    found = here.policies.health_check
    assert found is not None  # noqa: S101 - see above
    return found


@task(retries=1, retry_delay=RETRY_DELAY)
@telling.explained
def look(environment_name: str) -> dict[str, Any]:
    """Look at everything, keep what was seen, and write down what changed its level."""
    from day2.ledger.metrics import Metrics
    from day2.operations.health_check import cycle, looking, upkeep

    here, now, at = steps.environment(environment_name), run.current(), datetime.now(UTC)
    rules = policy(here)
    with connections.ledger(here) as ledger:
        chosen = list(now.params["targets"])
        planned = _planned(ledger, here, chosen)
        reach = looking.Reach(
            rules.timeout.total_seconds(),
            connections.shell,
            lambda database: connections.server(database.connection, dbname=database.dbname),
            connections.server,
            connections.store,
        )
        looks = looking.looks(here, reach, chosen, now=at)
        metrics = Metrics(ledger, here.name)
        if planned["dry_run"]:
            _say(_elsewhere(cycle.look(looks, rules), here, chosen, metrics))
            raise AirflowSkipException("dry run: nothing is kept, and nobody is told")
        with acting(ledger, here.name, "look") as outcome:
            looked = _elsewhere(cycle.look(looks, rules), here, chosen, metrics)
            said = looked.said
            looked = cycle.with_more(looked, _overdue(ledger, here, chosen, at), at=at)
            judged = cycle.keep(metrics, looked, rules, now=datetime.now(UTC))
            _say(looked)
            _write_alerts(ledger, here, looked, judged)
            cycle.remember(metrics, judged)
            if upkeep.due(ledger, here.name, now=at):
                upkeep.keep_house(ledger, metrics, rules.retention, environment=here.name, run=now.key,
                                  attempt=now.attempt, now=at)  # fmt: skip
            outcome.measures |= {
                "scaling": _ask(ledger, here, looked, at),
                "targets": len(looks),
                "samples": said,
                "gaps": dict(looked.gaps),
                "dropped": dict(judged.dropped),
                "changes": len(judged.changes),
            }
    return planned | {"measures": outcome.measures}


@task(retries=2, retry_delay=RETRY_DELAY)
@telling.explained
def ask_to_scale(planned: dict[str, Any], *, outlet_events: Any = None) -> None:
    """Start `scale_resource` for what is used too much, or hardly: by an event of its asset."""
    asked = planned["measures"]["scaling"]
    if not asked:
        raise AirflowSkipException("no resource is used beyond its thresholds, or it was asked for a moment ago")
    asset = scaling.asset(planned["environment"])
    outlet_events[scaling.alias(planned["environment"])].add(asset, extra={scaling.RESOURCES: asked})
    log.info("asked for %s", ", ".join(asked))


# Each notifier is tried again by itself, and what nobody took is told by the next run.
@task(retries=1, retry_delay=RETRY_DELAY)
@telling.explained
def tell(planned: dict[str, Any]) -> None:
    """Give every alert that waits to whoever the policy names, and judge the look."""
    from day2.operations.health_check import checks, notify, outbox
    from day2.operations.health_check.messages import messages

    here, now, at = steps.environment(planned["environment"]), run.current(), datetime.now(UTC)
    rules = policy(here)
    with connections.ledger(here) as ledger:
        waiting = outbox.waiting(ledger, here.name, now=at)
        begun = outbox.begun(ledger, here.name, waiting, now=at) if waiting else {}
        for message in messages(waiting.values()):
            chains = notify.route(message, rules.routes, begun)
            tries = [deliver(message, chain, attempts=rules.attempts) for chain in chains]
            outbox.noticed(ledger, message, tries, run=now.key, attempt=now.attempt)
            _say_told(message, tries)
        if not waiting:
            log.info("nothing changed: nobody has to be told")
        seen, told = planned["measures"], outbox.told(ledger, now.key, now.attempt)
        result = checks.of_look(
            here.name, samples=seen["samples"], gaps=seen["gaps"], dropped=seen["dropped"], told=told
        )
        findings.judge(ledger, [result])
        again = bool(outbox.waiting(ledger, here.name, now=at))
    if not result.passed:
        kind = AirflowException if again else AirflowFailException
        raise kind("not everything is as it must be; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE, retries=2, retry_delay=RETRY_DELAY)
@telling.explained
def heartbeat(environment_name: str) -> None:
    """A sign of life to somebody outside, who notices when none comes: then this scheduler is dead."""
    here, now = steps.environment(environment_name), run.current()
    rules = policy(here)
    if rules.dead_man is None:
        raise AirflowSkipException("the policy names nobody outside who would notice that this stopped")
    if now.params["dry_run"]:
        raise AirflowSkipException("dry run: nobody is told")
    with connections.ledger(here) as ledger:
        judged = [entry.body for entry in ledger.entries(kind="checks", run=now.key)]
    # Of this attempt: what an earlier one found says nothing of a run that was cleared.
    found = [each["passed"] for each in judged if each["attempt"] == now.attempt]
    alive = bool(found) and found[-1]
    answer = notifiers.http(rules.dead_man).ask("POST", "" if alive else "fail")
    log.info("told %s that this %s: %s", rules.dead_man, "works" if alive else "FAILED", answer)


def _planned(ledger: Ledger, here: Environment, chosen: list[str]) -> dict[str, Any]:
    from day2.operations.health_check import planning

    now = run.current()
    try:
        planned = planning.make(
            here,
            chosen,
            trigger=now.trigger,
            dry_run=bool(now.params["dry_run"]),
            policy_hash=inventory.policy_hash(here),
        )
    except Day2Error as error:
        steps.refuse(ledger, "plan", error)
        raise
    planned |= {"briefing": [f"Look at {len(chosen)} targets of {here.name}; nothing is changed."]}
    steps.write_plan(ledger, planned)
    return planned


@contextmanager
def acting(ledger: Ledger, target: str, step: str) -> Iterator[Outcome]:
    """Intent and outcome, without lease and approval: a look changes nothing."""
    from day2.ledger import Act, attempt

    now = run.current()
    act = Act(run=now.key, attempt=now.attempt, step=step, target=target, try_number=now.try_number)
    with attempt(ledger, act) as outcome:
        yield outcome


def _elsewhere(own: Looked, here: Environment, chosen: list[str], metrics: Metrics) -> Looked:
    """The same, and what the policy's other sources say that is not known yet."""
    from day2.metrics.thresholds import SKEW
    from day2.operations.health_check.sources import LOOK_BACK, together, unseen

    at = datetime.now(UTC)
    others = sources.look(here, policy(here), chosen, now=at)
    if not others:
        return own
    newest = {each.series: each.at for each in metrics.newest(at - LOOK_BACK, at + SKEW)}
    return together(own, [unseen(each, newest) for each in others])


def _overdue(ledger: Ledger, here: Environment, chosen: list[str], at: datetime) -> dict[str, Any]:
    """What the ledger says was done last: scans of hosts, drills of databases."""
    from day2.operations.health_check import absence

    since = absence.since(ledger, now=at)
    found: dict[str, Any] = {}
    if here.policies.security_patching:
        found |= absence.patch_scans(ledger, here, since=since, now=at)
    if here.policies.dr_drill:
        found |= absence.drills(ledger, here, since=since, now=at)
    return {target: values for target, values in found.items() if target in chosen}


def _write_alerts(ledger: Ledger, here: Environment, looked: Looked, judged: Judged) -> None:
    """Every change of level becomes an alert in the ledger, before anybody is told; also those that are silenced."""
    from day2.operations.health_check import alerts, outbox, silence

    now, at, link = run.current(), datetime.now(UTC), str(get_current_context()["ti"].log_url)
    silenced = silence.of(policy(here), silence.at_work(ledger, here.name), now=at)
    made = [alerts.of(here, change, note=looked.notes.get(change[0], ""), link=link) for change in judged.changes]
    made = alerts.quiet(made, silenced)
    made += outbox.no_longer_silenced(ledger, here.name, silenced, made=made, now=at)
    outbox.put(ledger, made, run=now.key, attempt=now.attempt, now=at)
    for each in made:
        log.warning("%s%s", alerts.title(each), f" (nobody is told: {each.silenced})" if each.silenced else "")


def _ask(ledger: Ledger, here: Environment, looked: Looked, at: datetime) -> list[str]:
    """The resources whose use is beyond a threshold, and for which nobody was asked lately."""
    from day2.operations.health_check import scaling

    if here.policies.scale_resource is None:
        return []
    now, asked = run.current(), scaling.last_asked(ledger, here.name, here.resources, now=at)
    found = scaling.wanted(here.resources, looked.samples, asked, now=datetime.now(UTC))
    for each in found:
        body = {"attempt": now.attempt, "environment": here.name, **asdict(each)}
        ledger.append(scaling.KIND, run=now.key, body=body)
        log.warning("%s: %.0f %% used: scale_resource is asked for %s", each.resource, each.used, each.direction)
    return [each.resource for each in found]


def deliver(message: Message, chain: tuple[str, ...], *, attempts: int) -> list[Try]:
    """Give a message to the first of these connections that takes it. One that cannot be used is one that did not."""
    from day2.operations.health_check import notify

    senders = {}
    for name in chain:
        try:
            senders[name] = notifiers.sender(name)
        except Day2Error as error:
            log.error("%s: %s", name, error)
    return notify.deliver(message, chain, senders, attempts=attempts)


def _say(looked: Looked) -> None:
    log.info("%d samples of %d targets", len(looked.samples), len({each.series.target for each in looked.samples}))
    for target, why in looked.gaps.items():
        log.warning("%s: a gap: %s", target, why)
    telling.say("What was seen", [
        f"{each.series.target} {each.series.metric}{f' of {each.series.part}' if each.series.part else ''}: "
        f"{each.value:,.6g}" for each in sorted(looked.samples, key=lambda sample: sample.series)
    ])  # fmt: skip


def _say_told(message: Message, chains: list[list[Try]]) -> None:
    taken = [f"{each.notifier} ({each.receipt[:80]})" for chain in chains for each in chain if each.taken]
    if taken:
        log.info("told %s: %s", ", ".join(taken), message.title)
    elif not chains:
        log.warning("no route has %s: nobody is told: %s", message.severity, message.title)
    else:
        log.error("NOBODY took: %s", message.title)
    telling.say(f"The message: {message.title}", message.body.splitlines())

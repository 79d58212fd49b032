"""Between a patch run's tasks and the ledger: who is chosen, what is frozen, who may start, when a wave opens."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, patients, run
from day2.errors import PlanRefused, StepFailed

if TYPE_CHECKING:
    from day2.control.window import Deadline
    from day2.hosts.model import PatchSet, Scan
    from day2.inventory.model import Environment, Host
    from day2.ledger import Ledger
    from day2.operations.security_patching.configured import Chosen
    from day2.operations.security_patching.planning import Request, Seen
    from day2.operations.security_patching.waves import Rollout

log = logging.getLogger("day2")
LOOK_AGAIN = timedelta(seconds=5)


def chosen(ledger: Ledger, here: Environment, now: run.Run) -> tuple[Any, ...]:
    """The hosts that were asked for; of a rerun, those of them that the earlier run left to do."""
    from day2.operations.security_patching import history, progress

    asked = list(now.params["targets"])
    if not now.params["rerun_of"]:
        return inventory.select_hosts(here, asked)
    earlier = _earlier(ledger, now)
    left = progress.left_to_do(earlier, history.tries(ledger, _key(earlier)))
    return inventory.select_hosts(here, [each for each in left if each in asked])


def requested(ledger: Ledger, here: Environment, now: run.Run, hosts: list[str]) -> tuple[Request, Frozen | None]:
    """What is asked for; and of a rerun what was frozen then."""
    from day2.operations.security_patching import history, planning, progress

    earlier = _earlier(ledger, now) if now.params["rerun_of"] else None
    request = planning.Request(
        environment=here,
        hosts=inventory.select_hosts(here, hosts),
        trigger=now.trigger,
        dry_run=bool(now.params["dry_run"]),
        policy_hash=inventory.policy_hash(here),
        proven=bool(earlier and progress.proven(earlier, history.tries(ledger, _key(earlier)))),
        emergency=bool(now.params["emergency"]),
    )
    if earlier is None:
        return request, None
    known = {(name, version): tuple(ids) for name, version, ids in earlier["advisories"]}
    return request, Frozen(progress.patch_set(earlier), known, earlier["carried"])


def _earlier(ledger: Ledger, now: run.Run) -> dict[str, Any]:
    """The plan of the run whose rest is to be done."""
    wanted = str(now.params["rerun_of"]).strip()
    plans = [each.body for each in ledger.entries(kind="plan", run=f"{now.dag_id}/{wanted}")]
    if not plans:
        raise PlanRefused(
            f"the ledger has no plan of a run {wanted!r} of {now.dag_id}",
            left="nothing was touched",
            next_step="give the run's id as the list of runs shows it, or leave `rerun_of` empty",
            runbook="The plan was refused",
        )
    return plans[-1]


def _key(planned: dict[str, Any]) -> str:
    return f"{planned['dag_id']}/{planned['run_id']}"


@dataclass(frozen=True)
class Frozen:
    """A set; the advisories its packages name, by package and version; and its files, each on a canary."""

    patch_set: PatchSet
    advisories: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    carried: list[dict[str, Any]] = field(default_factory=list)


def freeze(request: Request, seen: Seen, *, run_key: str) -> Frozen:
    """The set as the canaries would get it now.

    Both sides of every change are saved on the canaries meanwhile; a dry run leaves even that.
    """
    from day2.hosts import advisories, freeze, install
    from day2.operations.security_patching import planning

    canaries = [each for each in request.hosts if each.wave == "canary" and not planning.unfit(each, request, seen)]
    made = Frozen(freeze.merge(_sets(request, seen, canaries)))
    after = {change.name: change.after for change in made.patch_set.changes}
    for each in canaries if after and not request.dry_run else ():
        host = patients.reach(each, seen.scans[each.name].manager)
        prepared = install.prepare(host, made.patch_set, run_id=run_key)
        for name, answer in advisories.answered(host, prepared).items():
            made.advisories[name, after[name]] = answer.ids
        made.carried.extend({"canary": each.name, **asdict(file)} for file in prepared.files if file.side == "after")
    return made


def _sets(request: Request, seen: Seen, canaries: Sequence[Host]) -> Iterator[PatchSet]:
    """What each canary would get; and, on later hosts, what the canaries have already."""
    from day2.hosts import freeze
    from day2.operations.security_patching import planning

    here = request.environment
    installed = {key: version for each in canaries for key, version in seen.scans[each.name].versions().items()}
    asked = set()
    for each in canaries:
        found = seen.scans[each.name]
        yield freeze.freeze(patients.reach(each, found.manager), found, _wanted(here, each))
    for each in request.hosts:
        if each in canaries or planning.unfit(each, request, seen):
            continue
        found = seen.scans[each.name]
        waits = frozenset((package.key, package.candidate) for package in found.upgradable())
        if waits not in asked:  # hosts that wait for the same are asked once
            asked.add(waits)
            yield freeze.proven(patients.reach(each, found.manager), found, _wanted(here, each), installed)


def _wanted(here: Environment, host: Host) -> Chosen:
    from day2.operations.security_patching import configured

    return configured.Chosen(policy=here.patch_policy(host))


def freezes(here: Environment, at: datetime) -> tuple[Any, ...]:
    """Freezes of the calendar, from now to the end of the longest run there may be."""
    from day2.control import freezes as calendar

    return calendar.freezes(here, start=at, end=at + patients.policy(here).lease_ttl)


def write_scan(
    ledger: Ledger,
    here: Environment,
    now: run.Run,
    *,
    step: str,
    scans: dict[str, Scan],
    unreachable: dict[str, str],
) -> dict[str, Any]:
    """Keep whole scans in storage, and in the ledger what they saw for the first time. Returns the artefact."""
    from day2.operations.security_patching import history
    from day2.repository import kept

    repository = findings.repository(here)
    key = f"patching/{kept.named(now.key)}/{now.attempt}-{now.try_number}-{step}.json.gz"
    artefact = kept.keep(connections.store(repository), key, history.packed(scans), lock=repository.object_lock)
    new = history.new(history.sightings(ledger, here.name), scans)
    body = {
        "attempt": now.attempt,
        "environment": here.name,
        "at": datetime.now(UTC).isoformat(),
        "hosts": len(scans),
        "unreachable": unreachable,
        "sightings": [each.as_dict() for each in new],
        "artefacts": [artefact],
    }
    ledger.append(history.SCANNED, run=now.key, body=body)
    return artefact


def _standing(ledger: Ledger, here: Environment, planned: dict[str, Any]) -> tuple[Rollout, list[dict[str, Any]]]:
    """Where the run stands, with freezes that came into the calendar meanwhile."""
    from day2.control import window
    from day2.operations.security_patching import history, progress

    at = datetime.now(UTC)
    tries = history.tries(ledger, run.current().key)
    freeze: Deadline | None = window.deadline(None, freezes(here, at), at)
    return progress.rollout(planned, tries, freeze=freeze), tries


def gate(ledger: Ledger, here: Environment, planned: dict[str, Any], wave: str) -> None:
    """Returns when the wave may begin; asks to be run again later, or fails with why it never may."""
    from day2.operations.security_patching import progress, waves

    standing, tries = _standing(ledger, here, planned)
    if wave not in [each.name for each in standing.waves]:
        return
    before, at = progress.previous(standing, wave), datetime.now(UTC)
    if before is None:
        return
    over = progress.over(standing, before)
    answer = waves.gate(over, before, finished=progress.finished(planned, tries, before) or at, now=at)
    if answer.word == "wait":
        log.info("%s", answer.why)
        raise AirflowRescheduleException(answer.at or at + LOOK_AGAIN)
    if answer.word == "stop":
        raise StepFailed(
            f"the wave {wave} does not begin: {answer.why}",
            left="its hosts are as they were; what became of the earlier ones is said by their own tasks",
            next_step=f"correct the cause, then trigger again with `rerun_of` {run.current().run_id}: the same set,"
            " the hosts that are left",
            runbook="A wave was stopped",
        )
    log.info("%s", answer.why)


def wait_for_turn(ledger: Ledger, here: Environment, planned: dict[str, Any], name: str) -> None:
    """Returns when the host may start. Until then no worker waits with it."""
    from day2.operations.security_patching import progress, waves

    now, at = run.current(), datetime.now(UTC)
    standing, tries = _standing(ledger, here, planned)
    known = progress.hosts(planned, tries)[name]
    answer = waves.may_start(progress.reopened(standing, name, known, attempt=now.attempt), name, at)
    log.info("%s: %s: %s", name, answer.word, answer.why)
    if answer.word == "wait":
        raise AirflowRescheduleException(answer.at or at + LOOK_AGAIN)
    if answer.word == "stop":
        raise AirflowSkipException(f"not attempted: {answer.why}")

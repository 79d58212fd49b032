"""Where a patch run stands, from its plan and what its steps wrote into the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from day2.control.window import Deadline
from day2.hosts.model import PatchSet, Scan
from day2.operations.security_patching import waves
from day2.operations.security_patching.budget import HostState
from day2.operations.security_patching.states import Course, HostOutcome
from day2.operations.security_patching.waves import Rollout, Wave

PATCH, ROLL_BACK, UNDO = "patch", "roll_back", "undo"
# In `measures` of a try that failed and that Airflow repeats by itself: the host is not given up.
AGAIN = "tried_again"

Tries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Host:
    """What became of one host so far. `rolled_back` is none where nothing was rolled back."""

    state: HostState
    why: str = ""
    rolled_back: bool | None = None
    attempt: int = 0
    ended: str | None = None


def patch_set(planned: Mapping[str, Any]) -> PatchSet:
    """The frozen set of a plan. Raises ValueError where its digest is not its own."""
    return PatchSet.from_dict(planned["patch_set"])


def rollout(planned: Mapping[str, Any], tries: Tries, *, freeze: Deadline | None = None) -> Rollout:
    """The run as the waves see it. `freeze` is one that came into the calendar since the plan was made."""
    at = planned["deadline"]
    deadlines = [Deadline(datetime.fromisoformat(at["at"]), at["why"])] if at else []
    if freeze and not planned["emergency"]:
        deadlines.append(freeze)
    return Rollout(
        waves=tuple(Wave.from_dict(each) for each in planned["waves"]),
        fleet_budget=planned["fleet_budget"],
        states={name: each.state for name, each in hosts(planned, tries).items()},
        deadline=min(deadlines, key=lambda each: each.at, default=None),
    )


def hosts(planned: Mapping[str, Any], tries: Tries) -> dict[str, Host]:
    """Every host of the plan. One that was begun and not ended is busy: it is out of service."""
    found: dict[str, Host] = {}
    for target in planned["targets"]:
        if target["blocked"]:
            found[target["name"]] = Host("blocked", target["blocked"])
    for each in tries:
        if each["step"] in (PATCH, ROLL_BACK, UNDO):
            found[each["target"]] = _after(found.get(each["target"]), each)
    return {each["name"]: found.get(each["name"], Host("waiting")) for each in planned["targets"]}


def reopened(standing: Rollout, host: str, known: Host, *, attempt: int) -> Rollout:
    """The same for the task of a host that failed in an earlier attempt and was cleared: it may begin again."""
    if known.state != "failed" or known.attempt >= attempt:
        return standing
    return replace(standing, states={**standing.states, host: "waiting"})


def previous(standing: Rollout, wave: str) -> Wave | None:
    """The wave before this one in the plan; none for the first."""
    names = [each.name for each in standing.waves]
    position = names.index(wave)
    return standing.waves[position - 1] if position else None


def over(standing: Rollout, wave: Wave) -> Rollout:
    """The same once nothing of this wave runs any more."""
    final = waves.ended(standing)
    return replace(standing, states={**standing.states, **{each: final[each] for each in wave.hosts}})


def finished(planned: Mapping[str, Any], tries: Tries, wave: Wave) -> datetime | None:
    """When the last host of a wave was done; none if none was begun."""
    known = hosts(planned, tries)
    ends = [ended for each in wave.hosts if (ended := known[each].ended)]
    return max(map(datetime.fromisoformat, ends), default=None)


def courses(
    planned: Mapping[str, Any], tries: Tries, before: Mapping[str, Scan], after: Mapping[str, Scan]
) -> tuple[Course, ...]:
    """Every host's part in the run. A host that nobody could look at before the run has none."""
    return tuple(
        Course(name, before[name], after.get(name) if known.attempt else None, _outcome(known), _why(known))
        for name, known in hosts(planned, tries).items()
        if name in before
    )


def last_tried(tries: Tries, host: str, *steps: str) -> Mapping[str, Any]:
    """What the last try of these steps on a host measured; nothing if there was none."""
    found = [each["measures"] for each in tries if each["step"] in steps and each["target"] == host]
    return found[-1] if found else {}


def left_to_do(planned: Mapping[str, Any], tries: Tries) -> tuple[str, ...]:
    """What a rerun takes: every host that did not succeed."""
    known = hosts(planned, tries)
    return waves.left_to_do([*known], {name: each.state for name, each in known.items()})


def proven(planned: Mapping[str, Any], tries: Tries) -> bool:
    """Whether the plan's set went through a canary that kept it."""
    known = hosts(planned, tries)
    canaries = [each["name"] for each in planned["targets"] if each["wave"] == "canary"]
    return any(known[each].state == "succeeded" for each in canaries) or bool(planned.get("proven"))


def _after(known: Host | None, each: Mapping[str, Any]) -> Host:
    """A host after one more try of a step."""
    error = each["error"] or {}
    attempt, ended, why = each["attempt"], each["ended"], str(error.get("happened", ""))
    if each["step"] == PATCH:
        if each["outcome"] == "succeeded":
            return Host("succeeded", attempt=attempt, ended=ended)
        begun = each["outcome"] == "interrupted" or each["measures"].get(AGAIN)
        return Host("busy" if begun else "failed", why or each["left"], attempt=attempt, ended=ended)
    if each["outcome"] == "interrupted":
        return Host("busy", each["left"], attempt=attempt)
    before = known.why if known else ""
    if known and known.state == "succeeded":
        before = "rolled back with its wave"
    back = bool(each["measures"].get("rolled_back"))
    told = f"{before}; the rollback failed: {why}" if why else before
    return Host("failed", told, rolled_back=back, attempt=attempt, ended=ended)


def _why(known: Host) -> str:
    return known.why or ("the run ended before its turn" if known.state == "waiting" else "")


def _outcome(known: Host) -> HostOutcome:
    if known.rolled_back:
        return "rolled_back"
    outcomes: dict[HostState, HostOutcome] = {"succeeded": "succeeded", "failed": "failed", "busy": "failed"}
    return outcomes.get(known.state, "not_attempted")

"""One bounded step of one resource: decided again, asked for, and verified; and the way back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from day2.errors import StepFailed
from day2.inventory.scaling import ScalingPolicy
from day2.operations.scale_resource.choose import Choice
from day2.operations.scale_resource.drivers import verify
from day2.operations.scale_resource.drivers.driver import Driver, Seen
from day2.operations.scale_resource.history import CHANGED_AT

log = logging.getLogger("day2")
AGAIN = "trigger it again: the plan is made from what is there then"


def scale(
    driver: Driver,
    target: Mapping[str, Any],
    policy: ScalingPolicy,
    *,
    asked_before: bool,
    decide_again: Callable[[Seen], Choice],
    measures: dict[str, Any],
) -> None:
    """Take the planned step, if it still is the right one, and wait until its size is there.

    `measures` are written as it goes, so that a failure says how far it came. Safe to repeat: a size that is there is
    not asked for again, and never a second step is taken. `asked_before`: a try before this one, or a worker that was
    killed, may have asked for it. Raises StepFailed, and Unavailable where a retry may help.
    """
    name, before, size = target["name"], target["before"], target["size"]
    measures |= {"before": before, "decided": None, "changed": "unchanged", "simulated": driver.simulated}
    if target["blocked"]:
        raise _stopped(name, f"it cannot be judged: {target['blocked']}", "A size cannot be read", "correct that")
    if driver.simulated:
        log.warning("%s: simulated: what answers for %s is not the real one", name, driver.label)
    seen = driver.read()
    measures["found"] = seen.size
    if target["direction"] == "stay":
        _same(name, seen, before)
        measures |= {"decided": size, "why": target["why"]}
    elif seen.size == size:
        log.info("%s: it is told to be %s already: only verified", name, size)
        measures |= {"decided": size, "why": target["why"]}
        # Of what somebody else asked for, nothing is ours to take back.
        measures |= {"changed": "changed", CHANGED_AT: _now()} if asked_before else {}
    else:
        _same(name, seen, before)
        _step(driver, target, decide_again(seen), measures=measures)
    begun = time.monotonic()
    seen = verify.wait(driver, measures["decided"], within=policy.verify_within, every=policy.look_every)
    measures |= {"there_after_seconds": round(time.monotonic() - begun, 3), "present": seen.size, "words": seen.words}
    log.info("%s: %s: %s; %s", name, measures["changed"], measures["why"], seen.words)


def undo(
    driver: Driver,
    target: Mapping[str, Any],
    policy: ScalingPolicy,
    *,
    can_shrink: bool,
    measures: dict[str, Any],
) -> str:
    """Back to the size before. Returns what is left. Raises StepFailed where there is no way back."""
    name, before, size = target["name"], target["before"], target["size"]
    seen = driver.read()
    measures |= {"found": seen.size, "back_to": before, "changed": "unchanged"}
    if seen.size == before:
        seen = verify.wait(driver, before, within=policy.verify_within, every=policy.look_every)
        return f"as before: {seen.words}"
    if seen.size != size:
        raise _stopped(
            name, f"it is {seen.size} now, and this run asked for {size}", "It changed meanwhile", "look who changed it"
        )
    if not can_shrink:
        raise _no_way_back(target, seen)
    measures |= {"changed": "changed", CHANGED_AT: _now()}
    verify.write(driver, before)
    seen = verify.wait(driver, before, within=policy.verify_within, every=policy.look_every)
    log.info("%s: back to %s: %s", name, before, seen.words)
    return f"the size before, {before}: {seen.words}"


def _step(driver: Driver, target: Mapping[str, Any], again: Choice, *, measures: dict[str, Any]) -> None:
    """Ask for the planned size, unless the rules say otherwise by now."""
    name, size = target["name"], target["size"]
    if again.blocked:
        raise _stopped(name, f"it cannot be judged: {again.blocked}", "A size cannot be read", "correct that")
    if again.direction == "stay":
        log.info("%s: no longer needed: %s", name, again.why)
        measures |= {"decided": target["before"], "why": f"no longer needed: {again.why}"}
        return
    if again.size != size or (again.ask and not target["ask"]):
        asks = ", and a person has to approve it" if again.ask else ""
        raise _stopped(
            name, f"{size} was planned; by now {again.size} would be right{asks}", "It changed meanwhile", AGAIN
        )
    measures |= {"decided": size, "why": again.why, "changed": "changed", CHANGED_AT: _now()}
    log.info("%s: %s → %s: %s", name, target["before"], size, again.why)
    verify.write(driver, size)


def _same(name: str, seen: Seen, before: str) -> None:
    if seen.size != before:
        happened = f"the plan was made when it was {before}, and it is {seen.size} now: somebody else changed it"
        raise _stopped(name, happened, "It changed meanwhile", AGAIN)


def _stopped(name: str, happened: str, runbook: str, next_step: str) -> StepFailed:
    return StepFailed(
        happened, target=name, left="nothing was changed by this step", next_step=next_step, runbook=runbook
    )


def _no_way_back(target: Mapping[str, Any], seen: Seen) -> StepFailed:
    return StepFailed(
        f"it can only grow: {target['size']} cannot be taken back to {target['before']}",
        target=target["name"],
        left=f"it is now: {seen.words}",
        next_step="let it become what it was asked to be, then trigger it again to verify that",
        runbook="There is no way back",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()

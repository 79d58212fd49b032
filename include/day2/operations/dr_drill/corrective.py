"""What a drill found wanting, and the corrective actions that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from day2.ledger.store import Ledger
from day2.operations.dr_drill import actions, card
from day2.operations.dr_drill.actions import CLOSED, OPENED, Action, Gap, Severity
from day2.operations.dr_drill.card import Card, Row, Step, TargetCard
from day2.reports.page import word
from day2.units import duration

RANK = {"critical": 0, "warning": 1}
# Checks of what a gap here says more exactly: one action is enough for both.
SAME = {"rto": "rto_missed", "rpo": "rpo_missed", "split_brain": "split_brain", "redundant": "redundancy_lost"}


def gaps(found: Card) -> list[Gap]:
    """Everything a drill found wanting, the worst first, once a target and thing. Pure."""
    told: dict[tuple[str, str], Gap] = {}
    for each in _all(found):
        told.setdefault((each.target, each.name), each)
    return sorted(told.values(), key=lambda each: (RANK[each.severity], each.target, each.name))


def write(ledger: Ledger, *, run: str, attempt: int, owner: str, due: timedelta) -> list[Action]:
    """Open an action for each gap of a run, and carry those that were open before. Safe to repeat.

    `owner` answers for targets whose plan names nobody.
    """
    entries = card.read(ledger, run)
    found = card.gather(entries, run)
    day = found.as_of.date() + due
    owners = {each.name: each.owner for each in found.targets}
    new = [
        actions.opened(gap, environment=found.environment, run=run, owner=owners.get(gap.target) or owner, due=day)
        for gap in gaps(found)
    ]
    written = {entry.body["id"] for entry in entries if entry.kind == OPENED and entry.run == run}
    result = actions.carried(new, actions.every(each for each in entries if each.run != run or each.kind == CLOSED))
    for action in result:
        if action.id not in written:
            ledger.append(OPENED, run=run, body=action.body(attempt))
    return result


def _all(found: Card) -> Iterator[Gap]:
    for target in found.targets:
        yield from _objectives(target)
        yield from _measured(target)
        yield from _steps(target)
        # An emergency and the way back from it begin with servers that are not what they should be.
        if found.mode == "drill":
            yield from (_not_ready(target.name, each) for each in target.readiness if not each["ok"])
    yield from (_manual(each) for each in found.manual if each["result"] != "done")
    names = [each.name for each in found.targets]
    broken = {each.name for each in found.targets if any(_steps(each))}
    for check in found.checks:
        # What a step that failed did not measure is no gap of its own: the step is.
        if not check["passed"] and not (check["observed"] is None and check["target"] in broken):
            yield _check(check, names)


def _objectives(target: TargetCard) -> Iterator[Gap]:
    for name, words, limit in (
        ("rto", "recovery took", target.rto_seconds),
        ("rpo", "the commits that were lost go back", target.rpo_seconds),
    ):
        measured = target.measured("verify", f"{name}_seconds")
        if measured is not None and measured > limit:
            text = f"{words} {duration(measured)}, the {name.upper()} is {duration(limit)}"
            yield Gap(target.name, f"{name}_missed", text)


def _measured(target: TargetCard) -> Iterator[Gap]:
    """What the measures say of the servers and of the way clients take."""
    name, measured = target.name, target.measured
    if times := measured("watch", "split_brain"):
        yield Gap(name, "split_brain", f"two servers took writes at once, {times} times")
    told = (measured("switch_back", "redundant"), measured("switch_back", "streams"), measured("clear_up", "whole"))
    if next((each for each in told if each is not None), None) is False:
        yield Gap(name, "redundancy_lost", "no standby follows the primary after the drill")
    for left in measured("clear_up", "leftovers") or ():
        yield Gap(name, f"left_behind:{left}", f"left behind: {left}")
    if commits := measured("rejoin", "commits_only_there"):
        text = f"{commits} commits existed only on the old primary: decide what becomes of them, their WAL is kept"
        yield Gap(name, "diverged", text)
    if measured("rejoin", "means") == "reclone":
        yield Gap(
            name, "recloned", "the old primary had to be cloned anew: pg_rewind could not bring it back", "warning"
        )
    if measured("route", "simulated"):
        yield Gap(name, "route_simulated", "the way clients take was simulated: it is not proven", "warning")
    for point in measured("promote", "passed_over") or ():
        yield Gap(name, f"damaged:{point['point']}", f"recovery point {point['point']} is damaged: {point['why']}")


def _not_ready(target: str, finding: Row) -> Gap:
    text = f"not ready: {finding['name']}: {finding['observed']}, needed {finding['needed']}"
    severity: Severity = "critical" if finding.get("severity") == "critical" else "warning"
    return Gap(target, f"readiness:{finding['name']}", text, severity)


def _steps(target: TargetCard) -> Iterator[Gap]:
    """Steps whose last try did not succeed."""
    last: dict[str, Step] = {each.name: each for each in target.steps}
    for name, step in last.items():
        if step.outcome != "succeeded":
            text = f"the step {name} {step.outcome}: {step.error or step.left}"
            yield Gap(target.name, f"step_failed:{name}", text)


def _manual(step: Row) -> Gap:
    how = {"failed": f"{step['who'] or 'somebody'} said that it did not work"}.get(
        step["result"], "nobody did it in time"
    )
    return Gap(step["target"], f"manual_step:{step['name']}", f"manual step {step['name']}: {how}")


def _check(check: Row, targets: Iterable[str]) -> Gap:
    """A failed check belongs to the target it is a part of (`orders/public.items`)."""
    seen = f"could not be evaluated: {check['error']}" if check["error"] else f"observed {word(check['observed'])}"
    owner = next((each for each in targets if check["target"].startswith((each + "/", each + " "))), check["target"])
    severity: Severity = "critical" if check["severity"] == "critical" or check["error"] else "warning"
    name = SAME.get(check["id"], f"check:{check['id']}")
    return Gap(owner, name, f"{check['name']}: expected {word(check['expected'])}, {seen}", severity)

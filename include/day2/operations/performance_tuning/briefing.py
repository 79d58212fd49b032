"""The plan of a tuning run as an approver, and the log, reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from day2.operations.performance_tuning import planning
from day2.units import duration, size

LISTED = 20
MODES = {
    "advise": "the policy only advises",
    "apply_safe": "safe changes are made without asking",
    "apply_approved": "changes up to moderate risk are made once a person approved them",
}


def lines(planned: Mapping[str, Any]) -> list[str]:
    """Which statement would be run where, what undoes it, what it locks and takes, and what is left out."""
    changes = [each for each in planned["targets"] if each["recommendation"]]
    trigger = planned["trigger"]
    told = [
        f"plan {planned['digest'][:12]}: try {len(changes)} change{'' if len(changes) == 1 else 's'} on"
        f" {len(planning.databases(planned))} database(s) of {planned['environment']}, one at a time",
        f"asked for by {trigger['user'] or trigger['type']}; reason: {trigger['reason'] or '-'};"
        f" ticket: {trigger['ticket'] or '-'}",
        "each is measured before, with it and where it is cheap once more without; what does not help is taken back",
    ]
    for each in planning.databases(planned):
        told += _database(planned, each)
    if planned["deadline"]:
        told.append(f"no change begins that could not end before {planned['deadline']['at']}, "
                    f"{planned['deadline']['why']}")  # fmt: skip
    return [*told, *(["dry run: nothing will be touched"] if planned["dry_run"] else [])]


def _database(planned: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    name, impact = own["name"], planned["impact"]
    if own["blocked"]:
        yield f"{name}: COULD NOT BE LOOKED AT: {own['blocked']}"
        return
    mode, services = impact["modes"][name], ", ".join(impact["dependents"][name]) or "no service of the inventory"
    yield f"{name}: {impact['found'][name]} findings; {MODES[mode]}; {services} stands on it"
    if own["unfinished"]:
        yield f"  first what an earlier run left in the middle: {', '.join(own['unfinished'])}"
    for number, each in enumerate(planning.of_database(planned, name), start=1):
        yield from _change(number, each["recommendation"], rehearsed=each["rehearsed"])
    seconds = impact["longest_change_seconds"][name]
    if planning.of_database(planned, name):
        yield f"  each takes up to {duration(seconds)}, beside the time that its statement takes"
    yield from _put_off([each for each in planned["put_off"] if each["database"] == name])
    for each in impact["not_possible"][name]:
        yield f"  NOT SEEN: {', '.join(each['kinds'])}: {each['why']}; what helps: {each['remedy']}"


def _change(number: int, item: Mapping[str, Any], *, rehearsed: bool) -> Iterator[str]:
    change = item["change"]
    yield f"  {number}. {item['says']} ({item['risk']} risk; expected: {item['gain']})"
    yield f"     does: {change['statement']}"
    yield f"     undone by: {change['reverse'] or 'nothing: there is no earlier state to go back to'}"
    space = f"takes {size(change['takes_space'])}" if change["takes_space"] else "takes no space"
    first = "; first tried on a restored copy" if rehearsed else ""
    yield f"     locks: {change['locks']}; {space}{first}"


def _put_off(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in found[:LISTED]:
        yield f"  put off: {each['recommendation']['says']}: {each['why']}"
    if len(found) > LISTED:
        yield f"  and {len(found) - LISTED} more are put off; the plan in the record lists all"

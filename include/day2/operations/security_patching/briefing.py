"""The plan of a patch run as an approver, and the log, reads it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from day2.operations.security_patching.sla import RANK
from day2.units import duration

LISTED = 25
FEW = 6


def lines(planned: Mapping[str, Any]) -> list[str]:
    """What would be installed where, in which order, what stands in the way, and what stands on it."""
    return [
        *_opening(planned),
        *_packages(planned),
        *_waves(planned),
        *_hosts(planned["targets"]),
        *_impact(planned["impact"]),
        *(["dry run: nothing will be touched"] if planned["dry_run"] else []),
    ]


def _opening(planned: Mapping[str, Any]) -> Iterator[str]:
    trigger, targets = planned["trigger"], planned["targets"]
    changed = sum(1 for each in targets if each["changes"] and not each["blocked"])
    count = len(planned["patch_set"]["changes"])
    yield (
        f"plan {planned['digest'][:12]}: install {_count(count, 'package')} on {changed} of"
        f" {_count(len(targets), 'host')} of {planned['environment']}"
    )
    yield (
        f"asked for by {trigger['user'] or trigger['type']}; reason: {trigger['reason'] or '-'};"
        f" ticket: {trigger['ticket'] or '-'}"
    )
    if planned["emergency"]:
        yield "EMERGENCY: outside of any maintenance window"
    yield f"patch set {planned['patch_set']['digest'][:12]}: frozen; every host gets exactly these versions"


def _packages(planned: Mapping[str, Any]) -> Iterator[str]:
    """The set, worst and oldest first."""
    known, changes = planned["impact"]["packages"], planned["patch_set"]["changes"]
    rows = [(each, known.get(f"{each['name']}:{each['arch']}")) for each in changes]
    rows.sort(key=lambda row: (RANK[row[1]["severity"]], -row[1]["days"]) if row[1] else (len(RANK), 0))
    for each, row in rows[:LISTED]:
        text = f"  {each['name']} {each['before'] or '(new)'} → {each['after']}"
        if row:
            advisories = ", ".join(row["advisories"][:4]) or "no advisory named"
            text += f": {row['severity']}, {advisories}; {_count(row['hosts'], 'host')}, waiting {row['days']} days"
        yield text
    if len(rows) > LISTED:
        yield f"  and {len(rows) - LISTED} more packages; the plan in the record lists all"


def _waves(planned: Mapping[str, Any]) -> Iterator[str]:
    blocked = {each["name"] for each in planned["targets"] if each["blocked"]}
    for wave in planned["waves"]:
        names = [each for each in wave["hosts"] if each not in blocked]
        bake = f"then bakes for {duration(wave['bake_seconds'])}" if wave["bake_seconds"] else "no bake time"
        at_once = min(wave["budget"], planned["fleet_budget"])
        yield (
            f"wave {wave['name']}: {_count(len(names), 'host')} ({_some(names)}); at most {at_once} out of service"
            f" at once, stops after more than {wave['max_failures']} failed; {bake}"
        )
    at = planned["deadline"]
    until = f"no host starts after {at['at']}, {at['why']}" if at else "no window and no freeze ends it"
    yield f"at most {planned['fleet_budget']} hosts of the fleet out of service at once; {until}"


def _hosts(targets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What keeps hosts, or packages on them, out."""
    blocked = [each for each in targets if each["blocked"]]
    for each in blocked[:LISTED]:
        yield f"{each['name']}: NOT TOUCHED: {each['blocked']}"
    if len(blocked) > LISTED:
        yield f"{len(blocked) - LISTED} more hosts are not touched; the plan in the record says why"
    for each in targets:
        if each["renew"] and not each["blocked"]:
            yield f"{each['name']} runs old code already: {', '.join(each['renew'])} will be started anew"
    if not any(each["changes"] or each["renew"] for each in targets):
        yield "nothing is to be installed or restarted: the hosts are only looked at, and nobody has to approve"
    held = Counter(name for each in targets for name in each["held"])
    for name, count in sorted(held.items())[:LISTED]:
        yield f"{name} is on hold on {_count(count, 'host')} and stays as it is there"


def _impact(impact: Mapping[str, Any]) -> Iterator[str]:
    standing = sorted(impact["dependents"].items(), key=lambda each: (-len(each[1]), each[0]))
    for name, hosts in standing[:LISTED]:
        yield f"{name} stands on {_some(hosts)}"
    if len(standing) > LISTED:
        yield f"{len(standing) - LISTED} more services and databases stand on one or more of them"
    for name, hosts in list(impact["untested"].items())[:LISTED]:
        yield f"{name} is NOT in the set: it waits on {_some(hosts)}, and no canary has it to test"
    yield from _gates(impact["gates"])
    yield (
        f"{_count(impact['waiting'], 'update')} waiting, the oldest for {impact['oldest_days']} days;"
        f" {impact['late']} late on {_count(len(impact['late_hosts']), 'host')}"
    )
    if impact["excused"]:
        yield f"exceptions in force: {', '.join(impact['excused'])}"


def _gates(gates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """All of them are open, or there would be no plan: each kind is one line when there are many."""
    if len(gates) <= FEW:
        for gate in gates:
            yield f"{gate['target']}: {gate['name']}: {gate['observed']} ({gate['needed']})"
        return
    for name, needed in dict.fromkeys((gate["name"], gate["needed"]) for gate in gates):
        count = sum((gate["name"], gate["needed"]) == (name, needed) for gate in gates)
        yield f"{count} databases have a {name}, each {needed}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return (", ".join(names[:4] if more else names) or "none") + more

"""The plan of a patch run: hosts in waves, exact versions, and everything an approver should know. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from day2.control import plan, window
from day2.control.freezes import Freeze
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.hosts.model import PatchSet, Scan
from day2.inventory.model import Environment, Host
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import gates, sla, surroundings, waves
from day2.operations.security_patching.gates import Proof
from day2.operations.security_patching.sla import Due, Known
from day2.units import utc

OPERATION = "security_patching"
RUNBOOK = "The plan was refused"


@dataclass(frozen=True)
class Request:
    """What was asked for.

    `proven` says that the set already went through a canary: a rerun, of what was left. `emergency` goes
    without a window, never without a person's approval.
    """

    environment: Environment
    hosts: tuple[Host, ...]
    trigger: Trigger
    dry_run: bool
    policy_hash: str
    proven: bool = False
    emergency: bool = False


@dataclass(frozen=True)
class Seen:
    """What was found: scans by host (none where a host did not answer, and why), and the rest as recorded."""

    scans: Mapping[str, Scan]
    unreachable: Mapping[str, str] = field(default_factory=dict)
    proofs: Mapping[str, Proof | None] = field(default_factory=dict)
    first: Known = field(default_factory=dict)
    freezes: Sequence[Freeze] = ()


def make(request: Request, seen: Seen, patch_set: PatchSet, *, now: datetime) -> dict[str, Any]:
    """Write the plan. Raises PlanRefused with everything in the way at once."""
    policy = _policy(request)
    opening = None if request.emergency else window.opening(request.environment, OPERATION, now)
    blocked = {each.name: why for each in request.hosts if (why := unfit(each, request, seen))}
    arranged, fleet = waves.arrange(request.hosts, policy, fleet=len(request.environment.patched))
    _require_moment(request, seen, now)
    _require_canary(request, blocked)
    _require_budget(blocked, fleet)
    names = surroundings.databases(request.environment, [each.name for each in request.hosts])
    found = gates.require(gates.recovery_points(names, seen.proofs, now=now, max_age=policy.recovery_point_max_age))
    # An emergency is what a freeze makes room for: a person has approved it.
    deadline = window.deadline(opening, () if request.emergency else seen.freezes, now)
    targets = [_target(each, request, seen, patch_set) | {"blocked": blocked.get(each.name)} for each in request.hosts]
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": request.environment.name,
        # Nothing is touched on a fleet that has everything: it is only looked at, and nobody is woken.
        "change": "normal" if any(each["changes"] or each["renew"] for each in targets) else "standard",
        "emergency": request.emergency,
        "proven": request.proven,
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "target_kind": "host",
        "targets": targets,
        "patch_set": {"digest": patch_set.digest, "changes": [asdict(each) for each in patch_set.changes]},
        "waves": [each.as_dict() for each in arranged],
        "fleet_budget": fleet,
        "deadline": {"at": utc(deadline.at), "why": deadline.why} if deadline else None,
        "policy_hash": request.policy_hash,
        "tz": request.environment.timezone,
    }
    impact = _impact(request, seen, now) | {
        "untested": _untested(request, seen, patch_set),
        "gates": [each.as_dict() for each in found],
    }
    return planned | {"digest": plan.digest(planned), "impact": impact}


def brief(scan: Scan) -> Scan:
    """What a plan, and the report, need of a scan: only the packages that wait. Small enough to hand on."""
    return replace(scan, packages=scan.upgradable())


def unfit(host: Host, request: Request, seen: Seen) -> str | None:
    """Why a host cannot be patched as it is. It stays in the plan, is not touched, and uses up budget."""
    scan = seen.scans.get(host.name)
    if scan is None:
        return seen.unreachable.get(host.name) or "it was not scanned"
    if scan.repository_errors:
        return f"its repositories cannot be trusted: {scan.repository_errors[0]}"
    if scan.audit:
        return f"an earlier installation is half done (dpkg --audit): {scan.audit.splitlines()[0]}"
    needed = request.environment.patch_policy(host).minimum_free_bytes
    free = min((size for folder, size in scan.disk_free.items() if folder in ("/var", "/")), default=None)
    if free is not None and free < needed:
        return f"{free // 1_000_000} MB are free, {needed // 1_000_000} MB are needed"
    return None


def _policy(request: Request) -> PatchPolicy:
    policy = request.environment.policies.security_patching
    if policy is None:
        raise _refused("this environment has no patch policy", "add policies.security_patching to its file")
    plan.require_reason(request.trigger)
    if request.emergency and not (request.trigger.by_hand and request.trigger.ticket.strip()):
        raise _refused("an emergency is asked for by hand, with a ticket", "trigger it again and fill in `ticket`")
    plan.require_targets([each.name for each in request.hosts], limit=policy.max_targets)
    return policy


def _require_moment(request: Request, seen: Seen, now: datetime) -> None:
    """A window that is open, and no freeze. A dry run touches nothing, and an emergency cannot wait."""
    if request.dry_run or request.emergency:
        return
    window.require_open(request.environment, OPERATION, seen.freezes, now)


def _require_canary(request: Request, blocked: Mapping[str, str]) -> None:
    """A canary that can be patched, unless the set went through one before."""
    canaries = [each.name for each in request.hosts if each.wave == "canary"]
    if request.proven or any(each not in blocked for each in canaries):
        return
    if not canaries:
        raise _refused("there is no canary among the hosts", "choose one with wave: canary as well")
    told = "; ".join(f"{each}: {blocked[each]}" for each in canaries)
    raise _refused(f"no canary can be patched: {told}", "mend one of them, then trigger again")


def _require_budget(blocked: Mapping[str, str], fleet: int) -> None:
    """Hosts that are out of service already must leave room for the others."""
    if len(blocked) >= fleet:
        told = "; ".join(f"{name}: {why}" for name, why in list(blocked.items())[:5])
        raise _refused(
            f"the disruption budget of {fleet} is used up by {len(blocked)} hosts that cannot be patched: {told}",
            "mend them, or raise the budget by review",
        )


def _target(host: Host, request: Request, seen: Seen, patch_set: PatchSet) -> dict[str, Any]:
    """One host: how many packages change on it, and what of it must be started anew all the same."""
    scan = seen.scans.get(host.name)
    policy = request.environment.patch_policy(host)
    waiting = {each.key for each in scan.upgradable() if not each.held} if scan else set()
    changes = [each for each in patch_set.changes if each.key in waiting]
    return {
        "name": host.name,
        "wave": host.wave,
        "connection": host.connection,
        "changes": len(changes),
        "held": sorted(each.name for each in scan.packages if each.held and each.candidate) if scan else [],
        "kernel": scan.kernel if scan else None,
        "manager": scan.manager if scan else None,
        "renew": _renew(scan, policy) if scan else [],
    }


def _untested(request: Request, seen: Seen, patch_set: PatchSet) -> dict[str, list[str]]:
    """Wanted updates that are not in the set because no canary has the package, by name, with the hosts."""
    known = {each.key for each in patch_set.changes}
    found: dict[str, list[str]] = {}
    for host in request.hosts:
        policy = request.environment.patch_policy(host)
        for each in seen.scans[host.name].upgradable() if host.name in seen.scans else ():
            if each.key not in known and not each.held and policy.wants(each.name, security=each.security):
                found.setdefault(each.name, []).append(host.name)
    return dict(sorted(found.items()))


def _renew(scan: Scan, policy: PatchPolicy) -> list[str]:
    """What runs old code already, before anything is installed: it is restarted, or the host rebooted."""
    stale = sorted({each.unit or f"process {each.pid}" for each in scan.stale_services})
    due = policy.reboot.when == "always" or (policy.reboot.when == "if_required" and scan.reboot_required)
    return [*stale, *(["reboot"] if due else [])]


def _impact(request: Request, seen: Seen, now: datetime) -> dict[str, Any]:
    """What stands on the hosts, how late they are, and how many wait for each package."""
    environment = request.environment
    due = [each for host in request.hosts for each in _due(environment, host, seen, now)]
    late = [each for each in due if each.standing == "late"]
    return {
        "dependents": surroundings.standing_on(environment, [each.name for each in request.hosts]),
        "waiting": len(due),
        "late": len(late),
        "late_hosts": sorted({each.host for each in late}),
        "excused": sorted({name for each in due if each.standing == "excused" for name in each.excuse.names}),
        "oldest_days": max((each.age.days for each in due), default=0),
        "packages": _packages(due),
    }


def _due(environment: Environment, host: Host, seen: Seen, now: datetime) -> Iterator[Due]:
    scan = seen.scans.get(host.name)
    if scan is not None:
        policy = environment.patch_policy(host)
        yield from sla.judge(scan, policy, register=environment.patch_exceptions, first=seen.first, now=now)


def _packages(due: Sequence[Due]) -> dict[str, dict[str, Any]]:
    """By `name:arch`: on how many hosts, how bad, for how long, and for which advisories."""
    found: dict[str, dict[str, Any]] = {}
    for each in due:
        row = found.setdefault(
            each.package.key, {"hosts": 0, "severity": each.severity, "days": 0, "advisories": each.package.advisories}
        )
        row["hosts"] += 1
        row["days"] = max(row["days"], each.age.days)
        row["severity"] = min(row["severity"], each.severity, key=sla.RANK.__getitem__)
    return {key: row | {"advisories": list(row["advisories"])} for key, row in sorted(found.items())}


def _refused(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook=RUNBOOK)

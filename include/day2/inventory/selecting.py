"""Choosing targets of an environment, and the fingerprint of the policy they are held to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from day2.errors import PlanRefused
from day2.inventory.fields import nearest
from day2.inventory.model import Database, Environment, Host, Resource

Target = TypeVar("Target", Database, Host, Resource)


def select(environment: Environment, names: Iterable[str]) -> tuple[Database, ...]:
    """The databases of these names, in the inventory's order. Raises PlanRefused for unknown and for none."""
    return _chosen(environment.databases, set(names), kind="database", environment=environment.name)


def select_hosts(environment: Environment, names: Iterable[str]) -> tuple[Host, ...]:
    """The hosts of these names, in the inventory's order.

    Raises PlanRefused for unknown ones, for those that patching does not manage, and for none.
    """
    wanted = set(names)
    if others := [each.name for each in environment.hosts if each.name in wanted and not each.patching]:
        raise PlanRefused(
            f"security_patching does not manage {', '.join(others)}: the inventory says `patching: false`",
            target=environment.name,
            next_step="leave them out, or change the inventory",
        )
    return _chosen(environment.patched, wanted, kind="host", environment=environment.name)


def select_resources(environment: Environment, names: Iterable[str]) -> tuple[Resource, ...]:
    """The resources of these names, in the inventory's order. Raises PlanRefused for unknown and for none."""
    return _chosen(environment.resources, set(names), kind="resource", environment=environment.name)


def _chosen(targets: tuple[Target, ...], wanted: set[str], *, kind: str, environment: str) -> tuple[Target, ...]:
    known = [each.name for each in targets]
    if unknown := sorted(wanted - set(known)):
        listed = "; ".join(f"'{name}' is no {kind}{nearest(name, known)}" for name in unknown)
        raise PlanRefused(listed, target=environment, next_step="choose from the inventory as it is now")
    if not wanted:
        choice = ", ".join(known) or "this environment has none"
        raise PlanRefused(f"no {kind} was chosen", target=environment, next_step=f"choose from: {choice}")
    return tuple(each for each in targets if each.name in wanted)


def policy_hash(environment: Environment) -> str:
    """sha256 of every policy as it applies, overrides resolved: the same policy gives the same hash."""
    policy: dict[str, Any] = {
        "environment": environment.policies.model_dump(mode="json"),
        "databases": {
            each.name: {
                "database_backup": environment.backup_policy(each).model_dump(mode="json"),
                "database_restore": environment.restore_policy(each).model_dump(mode="json"),
            }
            | _tuning(environment, each)
            for each in environment.databases
        },
        "hosts": {
            each.name: environment.patch_policy(each).model_dump(mode="json")
            for each in environment.patched
            if environment.policies.security_patching
        },
    }
    if environment.resources:
        policy["resources"] = {each.name: each.model_dump(mode="json") for each in environment.resources}
    canonical = json.dumps(policy, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _tuning(environment: Environment, database: Database) -> dict[str, Any]:
    if environment.policies.performance_tuning is None:
        return {}
    return {"performance_tuning": environment.tuning_policy(database).model_dump(mode="json")}

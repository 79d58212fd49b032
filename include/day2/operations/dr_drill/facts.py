"""From a drill's measures to the row its suite judges. Pure.

What was not measured is None, which no check passes. What does not apply to a mode or a strategy has a value
that says nothing, and is named with its reason in `not_applicable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill.strategy import Mode

SUITE = "dr_drill"
# Fewer beats with every server asked than this have not watched anything.
BEATS_REQUIRED = 10
Measured = Mapping[str, Mapping[str, Any]]

RECOVERY = (
    "outside_writes", "rto_seconds", "rpo_seconds", "lost", "lost_beyond_policy", "lost_after_recovery",
    "assertions_failed", "health_failed",
)  # fmt: skip
TAKE_OVER = ("fence_proven", "previous_timeline", "promoted_timeline")
RETURN = ("rejoined", "switched_back", "redundant", "outside_writes_after_failback", "lost_by_failback")
STAYS = "an emergency stays in the recovery region until a failback"
ONLY_BACK = "a failback recovers nothing, it goes back"
BESIDE = "a rebuilt database stands beside production, which goes on"


def row(target: str, measured: Measured, policy: DrillPolicy, *, mode: Mode) -> dict[str, Any]:
    """One database. `measured` is by step; a step that did not run is missing."""
    facts = _objectives(policy) | _recovery(measured, policy) | _return(measured) | _around(measured)
    skipped = excused(policy, mode) | _without_markers(measured.get("verify", {}))
    writes = policy.verify_writes
    for name in skipped:
        facts[name] = _says_nothing(name, writes)
    told = "; ".join(f"{name}: {why}" for name, why in sorted(skipped.items()))
    return facts | {
        "target": target,
        "mode": mode,
        "strategy": policy.strategy,
        "not_applicable": told or "everything applies",
    }


def excused(policy: DrillPolicy, mode: Mode) -> dict[str, str]:
    """The facts that this mode and this strategy cannot have, each with the reason."""
    found: dict[str, str] = {}
    if policy.strategy == "restore":
        found |= dict.fromkeys((*TAKE_OVER, *RETURN), BESIDE)
    else:
        found["restored_equal"] = "nothing is restored, a standby takes over"
    if mode == "live":
        found |= dict.fromkeys(RETURN, STAYS) | {"readiness_red": "an emergency does not wait for readiness"}
    if mode == "failback":
        found |= dict.fromkeys((*RECOVERY, *TAKE_OVER, "readiness_red", "restored_equal"), ONLY_BACK)
    return found


def _without_markers(verified: Mapping[str, Any]) -> dict[str, str]:
    """Lost commits cannot be counted where no marker was acknowledged before the failure."""
    method = verified.get("rpo_method", "markers")
    return {} if method == "markers" else {"lost": f"the RPO was measured from the {method}, without markers"}


def _says_nothing(name: str, writes: int) -> Any:
    if name in ("fence_proven", "rejoined", "switched_back", "redundant", "restored_equal"):
        return True
    return {"promoted_timeline": 1, "outside_writes": writes, "outside_writes_after_failback": writes}.get(name, 0)


def _objectives(policy: DrillPolicy) -> dict[str, Any]:
    return {
        "rto_objective_seconds": policy.rto.total_seconds(),
        "rpo_objective_seconds": policy.rpo.total_seconds(),
        "outside_writes_required": policy.verify_writes,
        "beats_required": BEATS_REQUIRED,
    }


def _recovery(measured: Measured, policy: DrillPolicy) -> dict[str, Any]:
    fenced, promoted, verified = (measured.get(name, {}) for name in ("fence", "promote", "verify"))
    return {
        "fence_proven": fenced.get("proven", bool(fenced.get("proof"))),
        "previous_timeline": promoted.get("old_timeline") or verified.get("previous_timeline"),
        "promoted_timeline": verified.get("timeline"),
        "restored_equal": _equal(promoted),
        **{name: verified.get(name) for name in ("outside_writes", "rto_seconds", "rpo_seconds", "lost")},
        "lost_beyond_policy": _beyond(verified, policy),
        "lost_after_recovery": verified.get("lost_after_recovery"),
        "assertions_failed": _failed(verified.get("assertions")),
        "health_failed": _failed(verified.get("health")),
    }


def _return(measured: Measured) -> dict[str, Any]:
    rejoined, back, cleared = (measured.get(name, {}) for name in ("rejoin", "switch_back", "clear_up"))
    return {
        # A failed try has measures too (the state it left), so only what a finished one says counts.
        "rejoined": bool(rejoined.get("streams", "means" in rejoined)),
        "switched_back": "outage_seconds" in back or bool(back.get("already")),
        "redundant": bool(back.get("redundant", back.get("streams", cleared.get("whole")))),
        "outside_writes_after_failback": back.get("outside_writes_after_failback"),
        "lost_by_failback": back.get("lost_by_failback"),
    }


def _around(measured: Measured) -> dict[str, Any]:
    declared, watched, cleared = (measured.get(name, {}) for name in ("declare", "watch", "clear_up"))
    return {
        "readiness_red": declared.get("readiness_red"),
        "beats_checked": watched.get("beats_checked"),
        "split_brain": watched.get("split_brain"),
        "probe_gaps": _count(watched.get("silences")),
        "leftovers": _count(cleared.get("leftovers")),
    }


def _beyond(verified: Mapping[str, Any], policy: DrillPolicy) -> int | None:
    """Lost commits that the policy does not allow: it allows those within its RPO."""
    if "lost" not in verified:
        return None
    lost, seconds = verified["lost"] or 0, verified["rpo_seconds"]
    return 0 if seconds is not None and 0 < seconds <= policy.rpo.total_seconds() else lost


def _equal(promoted: Mapping[str, Any]) -> bool | None:
    expected = promoted.get("restore_tables_expected")
    return None if expected is None else expected == promoted.get("restore_tables_equal")


def _failed(found: Any) -> int | None:
    return None if found is None else sum(not each["ok"] for each in found)


def _count(found: Any) -> int | None:
    return None if found is None else len(found)

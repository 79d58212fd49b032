"""Whether a pair is fit for a drill: everything is looked at, and everything that is wrong is told at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from day2.errors import PlanRefused
from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import requirements, standing
from day2.operations.dr_drill.finding import Finding, Severity
from day2.operations.dr_drill.pair import Pair

__all__ = ["Finding", "Severity", "check", "red", "told"]
log = logging.getLogger("day2")


def check(pair: Pair, policy: DrillPolicy) -> list[Finding]:
    """Look at both servers, their hosts and what is between them. Changes nothing; never raises for what is down."""
    return requirements.judge(standing.look(pair), policy)


def told(finding: Finding) -> str:
    """One line of it, for a log: what is wrong first says so."""
    mark = "ok" if finding.ok else "RED" if finding.severity == "critical" else "warning"
    needed = "" if finding.ok else f"; needed: {finding.needed}"
    return f"{mark}: {finding.name}: {finding.observed}{needed}"


def red(findings: Sequence[Finding]) -> None:
    """Refuse to start when a critical finding is not ok. Raises PlanRefused with all of them."""
    forbidding = [each for each in findings if each.forbids]
    for each in findings:
        if not each.ok and not each.forbids:
            log.warning(told(each))
    if forbidding:
        raise PlanRefused(
            f"not ready, {len(forbidding)} of {len(findings)} checks are red: "
            + "; ".join(f"{each.name}: {each.observed} (needed: {each.needed})" for each in forbidding),
            left="nothing was touched",
            next_step="mend each of them, then trigger the drill again",
            runbook="The plan was refused",
        )

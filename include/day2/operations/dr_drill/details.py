"""What the measures of a step say, in words a reader of the scorecard understands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from day2.units import duration, size

Row = Mapping[str, Any]
# Facts whose check has another name than the fact.
FACTS = {
    "readiness": "readiness_red",
    "fence": "fence_proven",
    "beats": "beats_checked",
    "timeline": "promoted_timeline",
    "rto": "rto_seconds",
    "rto_possible": "rto_seconds",
    "rpo": "rpo_seconds",
    "rpo_possible": "rpo_seconds",
    "lost_counted": "lost",
    "lost": "lost_beyond_policy",
    "assertions": "assertions_failed",
    "health": "health_failed",
}
MEASURED = "measured."


def of(step: str, measures: Row) -> list[str]:
    """Sentences about one step; none where there is nothing to add."""
    tell = TELLERS.get(step)
    told = list(tell(measures)) if tell else []
    return [*told, str(measures["why"])] if measures.get("why") else told


def not_applicable(check: Row, checks: Sequence[Row]) -> str | None:
    """Why a check says nothing in this mode or strategy; None if it applies.

    The facts say it themselves, in the check `not_applicable`: `fact: reason; fact: reason`.
    """
    fact = FACTS.get(check["id"], check["id"].removeprefix(MEASURED))
    for each in checks:
        if each["id"] == "not_applicable" and each["target"] == check["target"] and each["observed"]:
            reasons = dict(part.split(": ", 1) for part in str(each["observed"]).split("; ") if ": " in part)
            return reasons.get(fact)
    return None


def _fence(measures: Row) -> Iterator[str]:
    if measures.get("proof"):
        yield f"proof: {measures['proof']}"
    if measures.get("clean") is False:
        yield "the old primary went down without handing everything over"


def _replay(measures: Row) -> Iterator[str]:
    if measures.get("lag_bytes") is not None:
        yield f"{size(measures['lag_bytes'])} were left to replay"


def _promote(measures: Row) -> Iterator[str]:
    if measures.get("timeline"):
        before = f" after {measures['old_timeline']}" if measures.get("old_timeline") else ""
        yield f"writes on timeline {measures['timeline']}{before}"
    if measures.get("point"):
        yield f"restored from recovery point {measures['point']}"
    for each in measures.get("passed_over") or ():
        yield f"recovery point {each['point']} was passed over: {each['why']}"


def _route(measures: Row) -> Iterator[str]:
    if measures.get("kind"):
        simulated = ", SIMULATED" if measures.get("simulated") else ""
        yield f"by {str(measures['kind']).replace('_', ' ')}{simulated}"


def _verify(measures: Row) -> Iterator[str]:
    if measures.get("outside_writes") is not None:
        yield f"{measures['outside_writes']} writes in a row from outside, accepted by {measures.get('server')}"


def _rejoin(measures: Row) -> Iterator[str]:
    words = {"start": "by a start", "rewind": "by pg_rewind", "reclone": "cloned anew"}
    if measures.get("means") in words:
        yield f"the old primary came back {words[measures['means']]}"
    if measures.get("commits_only_there"):
        yield f"{measures['commits_only_there']} commits existed only there; their WAL is kept as evidence"


def _switch_back(measures: Row) -> Iterator[str]:
    if measures.get("outage_seconds") is not None:
        yield f"clients could not write for {duration(measures['outage_seconds'])}"
    if measures.get("acknowledged_before_failback") is not None:
        lost, known = measures.get("lost_by_failback"), measures["acknowledged_before_failback"]
        yield f"{lost} of {known} commits acknowledged in the recovery region were lost by going back"


def _clear_up(measures: Row) -> Iterator[str]:
    for name, words in (("removed", "removed"), ("kept", "kept on purpose"), ("leftovers", "LEFT BEHIND")):
        if measures.get(name):
            yield f"{words}: {', '.join(map(str, measures[name]))}"


def _watch(measures: Row) -> Iterator[str]:
    if measures.get("beats") is not None:
        yield f"{measures.get('acknowledged')} of {measures['beats']} writes from outside were accepted"
    for each in measures.get("silences") or ():
        yield f"the probe itself was silent for {duration(each['seconds'])}: what happened then, nobody saw"


TELLERS: dict[str, Callable[[Row], Iterator[str]]] = {
    "watch": _watch,
    "fence": _fence,
    "replay": _replay,
    "promote": _promote,
    "route": _route,
    "verify": _verify,
    "rejoin": _rejoin,
    "switch_back": _switch_back,
    "clear_up": _clear_up,
}

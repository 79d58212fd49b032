"""What an attempt leaves for the record: the outcome, why, and every figure that led to it. Plain JSON values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from day2.operations.performance_tuning.effect import Effect, Trial, calls_of
from day2.operations.performance_tuning.interval import Mix, per_call
from day2.operations.performance_tuning.model import Outcome, Recommendation
from day2.operations.performance_tuning.samples import Block

SHORT = 70


def tried(
    recommendation: Recommendation, outcome: Outcome, decision: str, *, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The measures of one attempt; `more` adds to them."""
    return {
        "key": recommendation.key,
        "recommendation": asdict(recommendation),
        "outcome": outcome,
        "decision": decision,
        "effects": [],
        "guards": [],
        "seen": [],
        **(more or {}),
    }


def measured(trial: Trial, found: Effect) -> dict[str, Any]:
    """What was seen in the blocks, and what followed from it."""
    at = Mix.of(trial.without, trial.judged_by)
    return {
        "verdict": found.verdict,
        "effects": [each.as_dict() for each in found.own],
        "guards": [each.as_dict() for each in found.guards],
        "seen": blocks(trial.blocks, trial.judged_by, at),
        "judged_by": [str(each) for each in trial.judged_by],
        "taken_back_to_compare": trial.back is not None,
    }


def named(done: dict[str, Any], texts: Mapping[int, str]) -> dict[str, Any]:
    """The same, with statements called by their text where it has their ids."""
    for queryid, text in texts.items():
        short = f"“{text if len(text) <= SHORT else text[:SHORT] + '…'}”"
        done["decision"] = done["decision"].replace(f"statement {queryid}", short)
        for each in done["guards"]:
            each.update({key: each[key].replace(f"statement {queryid}", short) for key in ("name", "says")})
    return {**done, "statements": {str(queryid): text for queryid, text in texts.items()}}


def blocks(given: Sequence[Block], own: Sequence[int], at: Mix) -> list[dict[str, Any]]:
    """Each block of time: how much was called, and what a call cost at the same mix of statements."""
    return [
        {
            "name": each.name,
            "seconds": round(each.seconds, 2),
            "calls": calls_of(each, own),
            "ms": per_call(each, "ms", at),
            "blocks": per_call(each, "blocks", at),
            "calls_per_second": round(each.calls_per_second, 2),
            "totals": asdict(each.totals),
            "problems": list(each.problems),
        }
        for each in given
    ]

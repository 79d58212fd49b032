"""Which resources a run asked for another size, and did not see become it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from day2.ledger import Entry, evidence
from day2.operations.scale_resource.history import CHANGED_AT


def asked(entries: Sequence[Entry], name: str) -> bool:
    """Whether this run asked for another size of it, or may have: a killed worker says nothing of what it did."""
    return any(
        each["outcome"] == "interrupted" or CHANGED_AT in each["measures"]
        for each in evidence.gather(entries).tries
        if each["step"] == "scale" and each["target"] == name
    )


def unfinished(planned: Mapping[str, Any], entries: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """The planned targets to bring back, by what the run's entries say. What failed before it asked is left alone."""
    outcomes = {each["target"]: each["outcome"] for each in evidence.gather(entries).tries if each["step"] == "scale"}
    return [
        target
        for target in planned["targets"]
        if target["direction"] != "stay"
        and outcomes.get(target["name"], "succeeded") != "succeeded"
        and asked(entries, target["name"])
    ]

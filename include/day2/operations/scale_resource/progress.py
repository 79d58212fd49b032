"""Which resources a run asked for another size, and did not see become it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from day2.ledger import Entry, evidence
from day2.operations.scale_resource.history import CHANGED_AT


def unfinished(planned: Mapping[str, Any], entries: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """The planned targets to bring back, by what the run's entries say.

    A killed worker says nothing of what it did: that counts as asked. What failed before it asked is left alone.
    """
    tries = evidence.gather(entries).tries
    found = []
    for target in planned["targets"]:
        own = [each for each in tries if each["step"] == "scale" and each["target"] == target["name"]]
        if target["direction"] == "stay" or not own or own[-1]["outcome"] == "succeeded":
            continue
        if any(each["outcome"] == "interrupted" or CHANGED_AT in each["measures"] for each in own):
            found.append(target)
    return found

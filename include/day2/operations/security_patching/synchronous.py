"""Would commits wait while this standby is patched? A primary that needs it to commit stands still until it is back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from day2.postgres.server import Server, rows

COUNTED = re.compile(r"\s*(?:(?:first|any)\s+)?(\d+)\s*\(", re.IGNORECASE)
# The server shows its connection without quotes, so libpq cannot read it back where a value has a space.
SAID = re.compile(r"(\w+)=(.*?)(?= \w+=|$)")
# A standby that may be among those a commit waits for; `potential` takes the place of one that leaves.
CANDIDATES = frozenset({"sync", "potential", "quorum"})


def needed(names: str) -> int:
    """How many standbys `synchronous_standby_names` makes a commit wait for."""
    if found := COUNTED.match(names):
        return int(found[1])
    return 1 if names.strip() else 0


def waits(names: str, standbys: Iterable[Mapping[str, Any]], leaving: str) -> bool:
    """Whether too few are left to commit when the standby of this name leaves. Pure."""
    candidates = [each["name"] for each in standbys if each["sync_state"] in CANDIDATES]
    return leaving in candidates and len(candidates) - 1 < needed(names)


def known_as(standby: Server) -> str | None:
    """The name by which its primary knows it, `application_name`; none where it does not receive, or may not tell."""
    with standby.connect() as connection:
        found = rows(connection, "patch_known_as")
    told = dict(SAID.findall(found[0]["conninfo"])) if found else {}
    return told.get("application_name") or told.get("fallback_application_name")


def commits_wait(primary: Server, standby: Server) -> bool:
    """Whether commits on the primary stand still while this standby is away. Raises Unavailable."""
    name = known_as(standby)
    with primary.connect() as connection:
        [found] = rows(connection, "patch_server")
    return name is not None and waits(found["synchronous_standby_names"], found["standbys"], name)

"""Update extensions on a primary only once its standby has the same files.

What the update makes in the database replicates at once; the library does not. A standby whose host was not patched yet
would call functions that its library does not have. So the host of a pair that is patched last does it, for both.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from day2.errors import StepFailed, Unavailable
from day2.inventory.patching import PostgresPatch
from day2.operations.security_patching import extensions
from day2.operations.security_patching.extensions import Extension, Limits
from day2.postgres.server import Server, rows

log = logging.getLogger("day2")


def update(server: Server, other: Server | None, policy: PostgresPatch) -> dict[str, Any]:
    """Update what is behind and wanted on the primary of a pair, whichever it is. `server` is on the patched host.

    Returns what `extensions.update` does, with those that wait, or that the policy leaves, under `left`. Raises
    Unavailable where the server does not answer.
    """
    primary, standby, why = _roles(server, other)
    if primary is None:
        log.info("%s: a standby: its extensions are updated on its primary and come by replication", server.label)
        return extensions.nothing()
    files = _files(standby) if standby else None
    wanted, left = [], []
    for each in extensions.extensions(primary).found["extensions"]:
        reason = why or _not_now(each, policy, files)
        if reason:
            log.warning("%s: extension %s stays at %s: %s", primary.label, each.name, each.installed, reason)
            left.append(each.as_dict() | {"why": reason})
        else:
            wanted.append(each)
    made = extensions.update(primary, wanted, limits=Limits(policy.lock_timeout, policy.statement_timeout))
    return made | {"left": left}


def _not_now(extension: Extension, policy: PostgresPatch, files: Mapping[str, str] | None) -> str:
    """Why this one is left as it is; empty if it is to be updated."""
    if not policy.updates(extension.name):
        return f"its files have {extension.available}; the policy leaves it"
    if files is not None and files.get(extension.name) != extension.available:
        there = files.get(extension.name, "none of it")
        return f"its files have {extension.available}, those on the standby's host {there}: patch that one first"
    return ""


def _roles(server: Server, other: Server | None) -> tuple[Server | None, Server | None, str]:
    """The primary, its standby, and why nothing may be updated although there is a primary."""
    here = extensions.is_standby(server)
    if other is None:
        return (None if here else server), None, ""
    try:
        there = extensions.is_standby(other)
    except (StepFailed, Unavailable) as error:
        log.warning("%s: does not answer: %s", other.label, error.happened)
        return (None if here else server), None, "which files its standby has is not known"
    if here:
        return (None if there else other), server, ""
    return server, (other if there else None), ""


def _files(server: Server) -> dict[str, str]:
    with server.connect() as connection:
        return {each["name"]: each["version"] for each in rows(connection, "extension_files")}

"""Physical replication slots that keep WAL for the server that rejoins.

Slots are not copied between servers, and one that nobody uses keeps WAL until the disk is full: so a
slot is made when it is needed and dropped when it is not.
"""

from __future__ import annotations

import logging

from day2.operations.dr_drill import configured, observe
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
NAME = "primary_slot_name"
MAKE = "select pg_catalog.pg_create_physical_replication_slot(%s, true)"


def ensure(on: Node, follower: Node) -> str:
    """Have the slot on a server that the follower's configuration names. Returns its name; may be empty."""
    return have(on, follower, name=configured.value(follower, NAME))


def have(on: Node, follower: Node, *, name: str) -> str:
    """The same, where the name is known already.

    A slot that lost its WAL is of no use to anybody and is made anew.
    """
    if not name:
        log.warning("%s: its configuration names no slot; WAL for it may be removed too early", follower.name)
        return ""
    found = observe.ask(on.server, observe.SLOT, name)
    if found and found["wal_status"] == "lost":
        observe.drop_slot(on.server, name)
        found = {}
    if not found:
        observe.ask(on.server, MAKE, name)
        log.info("%s: made the slot %s for %s", on.name, name, follower.name)
    return name


def drop(on: Node, name: str) -> bool:
    """Drop a slot that nobody uses. Returns whether there was one to drop."""
    dropped = bool(name) and observe.drop_slot(on.server, name)
    if dropped:
        log.info("%s: dropped the slot %s, which nobody uses", on.name, name)
    return dropped

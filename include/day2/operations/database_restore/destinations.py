"""Where a point goes: a scratch server, a new database, or the place of the living one.

Each fills `measures`, the facts its suite judges, as it goes, also when it fails; and returns the tables
one by one, for evidence. A fact that does not apply is True (docs/validation.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from day2.errors import Day2Error
from day2.operations import materialize
from day2.operations.database_backup import prove
from day2.operations.database_restore import proof, staged, swap
from day2.operations.database_restore.order import NOT_APPLICABLE, Order
from day2.operations.database_restore.staged import Staged, Target
from day2.postgres.inspection import TableComparison

log = logging.getLogger("day2")


def into_scratch(order: Order, *, measures: dict[str, Any]) -> list[dict[str, Any]]:
    """Restore into a throw-away server and look at all of it; nothing else is touched."""
    described = order.origin.described
    measures |= {"old_data_kept": NOT_APPLICABLE, "safety_point_verified": NOT_APPLICABLE}
    with materialize.running(order.origin, parent=order.scratch, run=order.run) as restored:
        measures |= {"restore_finished": True, "seconds": round(restored.seconds, 3), "notes": list(restored.notes)}
        proof.require_writable(restored.made.server(described.dbname), left="the scratch server was removed")
        measures["server_writable"] = True
        prove.examine(restored.made, described, measures)
    measures["scratch_removed"] = True
    tables: list[dict[str, Any]] = measures.pop("tables")
    return tables


def new_database(order: Order, target: Target, *, measures: dict[str, Any]) -> tuple[TableComparison, ...]:
    """Restore beside everything else on a server, under a name that is free.

    Raises StepFailed if the name is taken or the result differs; nothing of it is left then.
    """
    measures |= {"old_data_kept": NOT_APPLICABLE, "safety_point_verified": NOT_APPLICABLE}
    staged.require_absent(target)
    with staged.building(order, target, measures=measures) as built:
        swap.publish(built)
    proof.require_writable(target.server.at(target.name), left="it is complete, equal to the point, and stays")
    measures["server_writable"] = True
    return built.tables


def in_place(
    order: Order, target: Target, *, safety: Callable[[], str], measures: dict[str, Any]
) -> tuple[TableComparison, ...]:
    """Replace a living database; its data is kept under another name until a person drops it.

    `safety` takes a recovery point of the database as it is now, verifies it, and returns its id, or
    raises. Until the swap nothing of the living database changes, and the swap is one transaction.
    """
    measures["safety_point_verified"] = False
    measures["safety_point"] = safety()
    measures["safety_point_verified"] = True
    measures["old_data_kept"] = True
    with staged.building(order, target, measures=measures) as built:
        kept = staged.derived(target.name, "before", built.moment)
        swap.swap(built, kept=kept)
        _prove_in_place(built, kept, measures=measures)
    aside = staged.derived(target.name, "restored", built.moment)
    measures |= {"old_data": kept} | swap.ways(target.name, kept=kept, aside=aside)
    log.info("%s: restored; the old data is in %s, closed to connections", target.label, kept)
    log.info("%s: to go back, stop its clients and run: %s", target.label, measures["go_back"])
    log.info("%s: when nobody needs the old data: %s", target.label, measures["drop_old"])
    return built.tables


def _prove_in_place(built: Staged, kept: str, *, measures: dict[str, Any]) -> None:
    """Through the real name; if it cannot be read and written there, the old database comes back."""
    target = built.target
    measures["server_writable"] = False
    try:
        proof.require_writable(target.server.at(target.name), left="the old database is back under its name")
    except Day2Error:
        swap.swap_back(built, kept=kept)
        log.error("%s: the restored database did not answer; the old one is back", target.label)
        raise
    measures["server_writable"] = True

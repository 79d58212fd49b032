"""What can go wrong with a restore is looked for before anything is touched: reach, rights, room, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from day2.errors import Day2Error, PlanRefused
from day2.operations.database_backup.preflight import SCRATCH_FACTOR, SCRATCH_FLOOR, Seen, space
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.staged import LONGEST_NAME, Target
from day2.operations.database_restore.supply import needs_scratch, programs
from day2.postgres import binaries, inspection, scratch
from day2.postgres.server import rows
from day2.repository.manifest import Manifest

Destination = Literal["scratch", "new_database", "in_place"]


def inspect(order: Order, *, destination: Destination, target: Target | None = None) -> Seen:
    """Look at the point, the worker and the target. `facts` are for the plan, `problems` stop the run.

    `facts["sessions"]` is how many clients an in-place restore would end.
    """
    described = order.origin.described
    facts: dict[str, Any] = {"point": order.origin.point.id, "bytes": described.stored_bytes}
    problems = [*missing_objects(order)]
    major = described.source.version_num // 10_000
    if target is not None:
        try:
            look = look_at(order, target)
        except Day2Error as error:
            return Seen(facts, (*problems, str(error)))
        facts |= look
        problems += target_problems(described, look)
        problems += replaced_problems(look, target, destination=destination)
        major = look["version_num"] // 10_000
    problems += _programs(order, major, through_scratch=target is None or needs_scratch(order, major))
    if target is None or needs_scratch(order, major):
        facts["scratch_bytes"] = scratch_bytes(described)
        problems += space(scratch.free_bytes(order.scratch), facts["scratch_bytes"])
    return Seen(facts, tuple(problems))


def look_at(order: Order, target: Target) -> dict[str, Any]:
    """What the target server is, what it lacks, and the database that has the name now (`replaced`)."""
    with target.server.connect() as connection:
        facts = rows(connection, "restore_target")[0]
        having = {each["name"] for each in rows(connection, "available_extensions")}
        replaced = rows(connection, "restore_replaced", name=target.name)
    wanted = {each.name for each in order.content.extensions}
    return facts | {
        "roles_missing": inspection.roles_missing(target.server, order.origin.described.roles),
        "extensions_missing": sorted(wanted - having),
        "replaced": replaced[0] if replaced else None,
        "sessions": replaced[0]["sessions"] if replaced else 0,
    }


def missing_objects(order: Order) -> list[str]:
    """Objects of the point that are not there or have another size; their content is read by the restore."""
    point, described = order.origin.point, order.origin.described
    stored = {item.key: item.bytes for item in order.origin.store.items(point.prefix)}
    return [
        f"{order.origin.store.url}/{point.key(each.name)}: {stored.get(point.key(each.name), 'no')} bytes stored,"
        f" {each.bytes} written: choose another point or another copy"
        for each in described.objects
        if stored.get(point.key(each.name)) != each.bytes
    ]


def target_problems(described: Manifest, look: Mapping[str, Any]) -> list[str]:
    """What keeps any restore from this server. Pure."""
    problems = []
    if look["version_num"] // 10_000 < described.source.version_num // 10_000:
        problems.append(
            f"the target runs PostgreSQL {look['version']} and the point is of {described.source.version}:"
            " restore to the same version or a newer one"
        )
    if look["in_recovery"]:
        problems.append("the target is a standby, which takes no writes: point the connection at the primary")
    if not look["may_create_databases"]:
        problems.append("the role may not create databases: alter role … createdb, or use a superuser")
    if look["roles_missing"] and not look["may_create_roles"]:
        problems.append(
            f"the target lacks the roles {', '.join(look['roles_missing'])} and our role may not create them:"
            " create them, or alter role … createrole"
        )
    if look["extensions_missing"]:
        problems.append(
            f"the target server has no extension {', '.join(look['extensions_missing'])}: install its package there"
        )
    return problems


def replaced_problems(look: Mapping[str, Any], target: Target, *, destination: Destination) -> list[str]:
    """What the name allows, and what a living database of that name does not. Pure."""
    replaced = look["replaced"]
    problems = []
    if len(target.name.encode()) > LONGEST_NAME:
        problems.append(f"{target.name!r} is longer than {LONGEST_NAME} bytes: choose a shorter name")
    if destination == "new_database" and replaced:
        problems.append(f"there is a database {target.name!r} already: choose another name, or restore in place")
    if destination == "in_place":
        problems += _in_place_problems(look, target)
    return problems


def _in_place_problems(look: Mapping[str, Any], target: Target) -> Iterator[str]:
    replaced = look["replaced"]
    if replaced is None:
        yield f"there is no database {target.name!r} to replace: restore it as a new database of that name"
        return
    if look["connected_to"] == target.name:
        yield "the connection is to the database that is replaced: connect to `postgres` instead"
    if replaced["is_template"]:
        yield f"{target.name!r} is a template database"
    if not replaced["owned"]:
        yield f"our role neither owns {target.name!r} nor is a superuser, so it cannot rename it"
    if not look["may_end_sessions"]:
        yield "our role may not end other sessions: grant pg_signal_backend, or use a superuser"
    if replaced["prepared_transactions"]:
        yield f"{replaced['prepared_transactions']} prepared transactions hold it: commit or roll them back first"
    if replaced["logical_slots"] or replaced["subscriptions"]:
        yield (
            f"{replaced['logical_slots']} logical replication slots and {replaced['subscriptions']} subscriptions"
            " belong to it and would stay with the old data: drop them first, and set them up again after"
        )


def scratch_bytes(described: Manifest) -> int:
    """Bytes the copy needs on the worker while it runs there."""
    plain = sum(each.plain_bytes for each in described.objects)
    return int(max(described.source.bytes, plain) * SCRATCH_FACTOR) + SCRATCH_FLOOR


def _programs(order: Order, major: int, *, through_scratch: bool) -> Iterator[str]:
    """Client programs for the target; server programs of the source's version where the copy must run."""
    source = order.origin.described.source.version_num // 10_000
    try:
        programs(order, major)
        if through_scratch:
            binaries.for_server(source, need_server=True)
            binaries.unprivileged()
    except PlanRefused as error:
        yield f"{error.happened}: {error.next_step}"

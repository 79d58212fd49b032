"""After every drill, whatever came of it: remove what it made, and prove by looking again that nothing is left.

It removes what is the drill's by name and place, never anything else, and works from any state. What a pair
that is not whole still needs (the slot and the files for the rejoin) stays, and is named.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any

from day2.errors import Day2Error, StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import aside, configured, control, evidence, observe, sessions, slots
from day2.operations.dr_drill.pair import Node, Pair, Seen, state
from day2.postgres.server import Server

log = logging.getLogger("day2")
SCHEMA_THERE = "select pg_catalog.to_regnamespace('day2_drill') is not null as there"
DROP_SCHEMA = "drop schema if exists day2_drill cascade"
# The drill's own sessions: this one is the one that asks.
SESSIONS = """
select
    count(*) as sessions,
    bool_and({what}) as done
from pg_catalog.pg_stat_activity
where
    application_name like 'day2%'
    and backend_type = 'client backend'
    and datname = current_database()
    and pid <> pg_catalog.pg_backend_pid()
"""
COUNT = SESSIONS.format(what="true")
MINE = "usesysid in (select oid from pg_catalog.pg_roles where pg_catalog.pg_has_role(oid, 'MEMBER'))"
END = SESSIONS.format(what="pg_catalog.pg_terminate_backend(pid)") + f"    and {MINE}"
END_SECONDS = 5.0


@dataclass
class Cleared:
    """What was done: lines for the log and the record."""

    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)


def clear_up(pair: Pair, run: str, *, keep_evidence: bool = False) -> dict[str, Any]:
    """Remove what the drill made and nobody needs. Returns the measures; `leftovers` is what was found after.

    `keep_evidence`: WAL that only the old primary had is put where it stays, for people to look at.
    """
    seen, done = observe.look(pair), Cleared()
    for node, look in zip(pair.nodes, seen, strict=True):
        _try(done, node.name, lambda node=node: _files(node, run, done, whole=is_whole(*seen), keep=keep_evidence))
        if look.role in ("primary", "standby"):
            _try(done, node.name, lambda node=node: _end_sessions(node, done))
        if look.takes_writes and state(*seen) != "split_brain":
            _try(done, node.name, lambda node=node: _drop_schema(pair, node, done))
    _try(done, pair.standby.name, lambda: _slot(pair, seen, done))
    for line in (*done.problems, *done.kept):
        log.warning("%s: %s", pair.name, line)
    left = leftovers(pair, run)
    log.info("%s: cleared up %d things; left: %s", pair.name, len(done.removed), "; ".join(left) or "nothing")
    return {
        "state": state(*seen),
        "whole": is_whole(*seen),
        "removed": done.removed,
        "kept": done.kept,
        "problems": done.problems,
        "evidence": done.evidence,
        "leftovers": left,
    }


def leftovers(pair: Pair, run: str) -> list[str]:
    """What of the drill is there now and not needed any more. What cannot be looked at is left, too."""
    seen, found = observe.look(pair), list[str]()
    for node, look in zip(pair.nodes, seen, strict=True):
        try:
            found += _left(pair, node, look, whole=is_whole(*seen))
        except Day2Error as error:
            found.append(f"unknown what is left on {node.name} of run {run}: {error.happened}")
    return found


def is_whole(primary: Seen, standby: Seen) -> bool:
    """Whether one takes writes and the other follows it: nothing of a rejoin is needed any more. Pure."""
    return (primary.takes_writes and standby.role == "standby" and standby.follows) or (
        standby.takes_writes and primary.role == "standby" and primary.follows
    )


def _left(pair: Pair, node: Node, look: Seen, *, whole: bool) -> list[str]:
    found = [f"{aside.folder(node)}/{name} on {node.shell.label}" for name in aside.names(node) if whole]
    if look.role in ("primary", "standby") and (stay := _sessions(node)):
        found.append(f"{stay} sessions on {node.name}")
    if look.takes_writes and observe.ask(node.server, SCHEMA_THERE)["there"]:
        found.append(f"schema day2_drill on {node.name}")
    if node is pair.standby and whole and look.role == "standby":
        name = configured.value(pair.primary, "primary_slot_name")
        if name and observe.ask(node.server, observe.SLOT, name):
            found.append(f"slot {name} on {node.name}")
    return found


def _sessions(node: Node) -> int:
    """How many of the drill's sessions stay. Asked on one connection: the end of each would be seen by the next."""
    sessions.end_idle()
    with observe.impatient(node.server).connect() as connection:

        def there() -> int:
            row: Any = connection.execute(COUNT.encode()).fetchone()
            return int(row[0])

        observe.until(lambda: not there(), seconds=END_SECONDS)
        return there()


def _files(node: Node, run: str, done: Cleared, *, whole: bool, keep: bool) -> None:
    """The folder beside the data directory: all of it once the pair is whole, before that only secrets."""
    names = aside.names(node)
    if not names:
        return
    folder = aside.folder(node)
    if not whole:
        aside.forget(node, configured.PASSFILE)
        done.kept.append(f"{folder} on {node.shell.label}: the rejoin of {node.name} needs it")
        return
    if manifest := evidence.read(node):
        if keep and manifest["commits"]:
            stays = f"{control.data(node).rstrip('/')}.evidence-{re.sub(r'[^A-Za-z0-9.-]+', '_', run)}"
            require(node.shell, "mv", "--no-target-directory", f"{folder}/{evidence.FOLDER}", stays)
            manifest["folder"] = stays
            done.kept.append(f"{stays} on {node.shell.label}: {manifest['commits']} commits that only this server had")
        done.evidence.append(manifest)
    require(node.shell, "rm", "--recursive", "--force", folder)
    done.removed += [f"{folder}/{name} on {node.shell.label}" for name in names]


def _end_sessions(node: Node, done: Cleared) -> None:
    """Sessions of a worker that was killed; each target has its lease, so nobody else's are on this database."""
    sessions.end_idle()
    if ended := observe.ask(node.server, END)["sessions"]:
        done.removed.append(f"{ended} sessions on {node.name}")


def _drop_schema(pair: Pair, node: Node, done: Cleared) -> None:
    """The marker rows, by whoever made them: the drill's role, or the one that clients use."""
    if not observe.ask(node.server, SCHEMA_THERE)["there"]:
        return
    refused = None
    for server in (node.server, pair.endpoint):
        try:
            _execute(server, DROP_SCHEMA)
        except Day2Error as error:
            refused = error
        else:
            done.removed.append(f"schema day2_drill on {node.name}")
            return
    assert refused is not None  # noqa: S101 - the loop above ran
    raise refused


def _slot(pair: Pair, seen: tuple[Seen, Seen], done: Cleared) -> None:
    """The slot for the old primary's way back; unused, it would keep WAL until the disk is full."""
    name = configured.value(pair.primary, "primary_slot_name")
    if not name or seen[1].role not in ("primary", "standby"):
        return
    needed = not is_whole(*seen) and state(*seen) != "normal"
    if seen[1].role == "standby" and not needed:
        if slots.drop(pair.standby, name):
            done.removed.append(f"slot {name} on {pair.standby.name}")
    elif needed and observe.ask(pair.standby.server, observe.SLOT, name):
        done.kept.append(f"slot {name} on {pair.standby.name} keeps WAL: {pair.primary.name} needs it to rejoin")


def _execute(server: Server, statement: str) -> None:
    import psycopg

    with observe.impatient(server).connect() as connection:
        try:
            # A synchronous standby that is gone must not hold up the clearing up.
            connection.execute("set synchronous_commit = 'local'")
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise StepFailed(f"{server.label}: {str(error).strip()}") from error


def _try(done: Cleared, name: str, what: Any) -> None:
    """Clear up as much as can be: one server that does not answer does not keep the rest."""
    try:
        what()
    except Day2Error as error:
        done.problems.append(f"{name}: {error.happened}")

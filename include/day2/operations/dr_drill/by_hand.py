"""The commands that finish a drill by hand, for every state the two servers can be in. Pure.

`$PGDATA` is the data directory of the login on that host; where the inventory names one, it is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from day2.operations.dr_drill import control
from day2.operations.dr_drill.pair import Node, Pair, State

FOLLOWERS = "select * from pg_stat_replication"


def commands(pair: Pair, now: State) -> list[str]:
    """What a person types to finish from this state; both ways where there are two."""
    answers: dict[State, Callable[[Pair], list[str]]] = {
        "normal": lambda pair: [],
        "alone": lambda pair: [_start(pair.standby)],
        "fenced": _fenced,
        "promoted": _promoted,
        "failed_over": _failed_over,
        "no_primary": _nobody_writes,
        "down": _nobody_writes,
        "split_brain": _split_brain,
        "unknown": _unknown,
    }
    return answers[now](pair)


def _fenced(pair: Pair) -> list[str]:
    standby = pair.standby
    signal = f"ls {_folder(standby)}/{control.SIGNAL}"
    return [
        # A promotion may be under way that nobody sees yet.
        f"to go back: on {standby.shell.label}: {control.stop_by_hand(standby)}",
        f"to go back: on {standby.shell.label}: {signal}  # must be there: else it began to take over",
        f"to go back: {_start(pair.primary)}",
        f"to go back: {_start(standby)}",
        f"to go on: {_is_stopped(pair.primary)}",
        f"to go on: {_promote(pair.standby)}",
        *(f"to go on: {each}" for each in _promoted(pair)),
    ]


def _promoted(pair: Pair) -> list[str]:
    """The old primary follows the new one: rewound, with its own configuration put back."""
    old, new = pair.primary, pair.standby
    folder = _folder(old)
    source = f'--source-server="$(postgres -D {folder} -C primary_conninfo) dbname=postgres"'
    return [
        f"on {new.shell.label}: {_psql(new)} -c 'checkpoint'",
        f"on {old.shell.label}: mkdir -m 700 {folder}.conf && cp -a {folder}/*.conf {folder}.conf/  "
        "# pg_rewind copies the other one's over them",
        f"on {old.shell.label}: pg_rewind --target-pgdata={folder} {source} --restore-target-wal --progress",
        f"on {old.shell.label}: cp -a {folder}.conf/* {folder}/ && touch {folder}/{control.SIGNAL}",
        _start(old),
        f"on {new.shell.label}: {_psql(new)} -c '{FOLLOWERS}'  # must say streaming",
    ]


def _failed_over(pair: Pair) -> list[str]:
    """A switchover back: the one that takes writes stops first, and the other must have all of it."""
    old, new = pair.primary, pair.standby
    return [
        f"to go back: on {new.shell.label}: {control.stop_by_hand(new)}",
        f"to go back: on {new.shell.label}: pg_controldata {_folder(new)} | grep 'Latest checkpoint location'",
        f"to go back: on {old.shell.label}: {_psql(old)} -c 'select pg_last_wal_replay_lsn()'  # must be beyond it",
        f"to go back: {_promote(old)}",
        f"to go back: on {new.shell.label}: touch {_folder(new)}/{control.SIGNAL}",
        f"to go back: {_start(new)}",
        f"to stay: nothing; {new.name} takes writes and {old.name} follows it",
    ]


def _nobody_writes(pair: Pair) -> list[str]:
    """Which one was the last to take writes is what the control files say, never what we remember."""
    return [
        *(
            f"on {each.shell.label}: pg_controldata {_folder(each)}; ls {_folder(each)}/{control.SIGNAL}"
            for each in pair.nodes
        ),
        "the one with the higher TimeLineID, and of the same timeline the one with the higher checkpoint location, "
        "has the newest data: only that one may take writes",
        f"the other one may only be started with {control.SIGNAL} in its data directory",
        *(f"if that is {each.name}: {_start(each)}" for each in pair.nodes),
        *(f"if that is {each.name}, and it has {control.SIGNAL}: {_promote(each)}" for each in pair.nodes),
    ]


def _split_brain(pair: Pair) -> list[str]:
    """Both have commits of their own: stop one without losing them, and let people merge."""
    return [
        "both take writes: stop the one that fewer clients write to, at once, and keep its files",
        *(f"if that is {each.name}: on {each.shell.label}: {control.stop_by_hand(each)}" for each in pair.nodes),
        *(
            f"if that is {each.name}: on {each.shell.label}: cp -a {_folder(each)} {_folder(each)}.diverged"
            for each in pair.nodes
        ),
        "compare the rows that only the stopped one has, bring over what is missed, then rejoin it as a standby",
    ]


def _unknown(pair: Pair) -> list[str]:
    return [
        "do not promote and do not start anything while one of them may take writes unseen",
        *(f"on {each.shell.label}: {_status(each)}" for each in pair.nodes),
        *(f"from a client: {_psql(each)} -c 'select pg_is_in_recovery()'" for each in pair.nodes),
        "a host that stays silent: power it off at its provider before the other one takes writes",
    ]


def _start(node: Node) -> str:
    return f"on {node.shell.label}: {control.start_by_hand(node)}"


def _is_stopped(node: Node) -> str:
    return f"on {node.shell.label}: {_status(node)}  # must say that no server is running"


def _status(node: Node) -> str:
    return f"pg_ctl status --pgdata={_folder(node)}"


def _promote(node: Node) -> str:
    return f"on {node.shell.label}: {_psql(node)} -c 'select pg_promote(true, 60)' -c 'checkpoint'"


def _psql(node: Node) -> str:
    server = node.server
    return f"psql -h {server.host} -p {server.port} -U {server.user} -d {server.dbname}"


def _folder(node: Node) -> str:
    return shlex.quote(node.data) if node.data else '"$PGDATA"'

"""A failover and a rejoin as a careful administrator types them from a runbook: PostgreSQL's programs, one at a time.

The checks are those that the runbook demands: the old primary is stopped and answers nobody, commits would not
wait, the standby has replayed all, clients arrive; then the control files before and after the rewind, and
streaming. The time to read and to type is not in it.
"""

from __future__ import annotations

import time
from pathlib import Path

from day2.hosts.shell import require
from day2.operations.dr_drill.control import position
from day2.operations.dr_drill.pair import Node
from tests.integration.drill.making import SLOT, Living

STOPPED = 3  # pg_ctl status: no server is running
SILENT = 2  # pg_isready: no response
# Between two looks at something that is waited for.
PAUSE = 0.02
FIT = "select pg_is_in_recovery() and pg_get_wal_replay_pause_state() = 'not paused'"
WAITS = "select current_setting('synchronous_standby_names')"
PROGRESS = "select pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()"
KEEP = "select pg_create_physical_replication_slot('{}', true)"
WRITE = "insert into orders (note) values ('bench') returning id"
READ = "select inet_server_port(), max(id) from orders"
TIMELINE = "select timeline_id from pg_control_checkpoint()"
POSITION = "select pg_current_wal_lsn()"
STREAMS = "select replay_lsn >= '{mark}' from pg_stat_replication where state = 'streaming'"


def take_over(made: Living) -> None:
    """The standby becomes the primary, and a client's write arrives there."""
    old, new = made.pair.primary, made.pair.standby
    expect("the old primary is stopped", old.shell.run("pg_ctl", "status").code == STOPPED)
    knock = ("pg_isready", "--quiet", "-h", old.server.host, "-p", str(old.server.port))
    expect("the old primary answers nobody", new.shell.run(*knock).code == SILENT)
    timeline = _controldata(old, "Latest checkpoint's TimeLineID")
    expect("the standby can take over, and no commit would wait", psql(made, FIT, WAITS) == ["t", ""])
    _replayed(made)
    psql(made, KEEP.format(SLOT))
    made.ctl(new, "promote", "--wait", "--silent")
    expect("it is on a new timeline", int(psql(made, "checkpoint", TIMELINE)[0]) > int(timeline))
    said = _client(made, WRITE, READ)
    expect("clients arrive there and write", said == [said[0], f"{new.server.port}|{said[0]}"])


def rejoin(made: Living) -> None:
    """The old primary follows the new one: rewound, with its own settings put back, streaming."""
    old = made.pair.primary
    data = made.home(old) / "data"
    kept = Path(f"{data}.conf")
    expect("the old primary is stopped", old.shell.run("pg_ctl", "status").code == STOPPED)
    before = _controldata(old, "Latest checkpoint's TimeLineID")
    expect("the new one's control file shows its timeline", psql(made, "checkpoint", TIMELINE)[0] > before)
    require(old.shell, "mkdir", "--mode=700", str(kept))
    require(old.shell, "cp", "--archive", *map(str, sorted(data.glob("*.conf"))), str(kept))
    source = require(old.shell, "postgres", "-D", str(data), "-C", "primary_conninfo").strip()
    target = (f"--target-pgdata={data}", f"--source-server={source} dbname=postgres", "--restore-target-wal")
    require(old.shell, "pg_rewind", *target, seconds=600)
    expect("it was rewound", _controldata(old, "Database cluster state") == "in archive recovery")
    require(old.shell, "cp", "--archive", *map(str, sorted(kept.iterdir())), str(data))
    require(old.shell, "touch", str(data / "standby.signal"))
    made.start(old)
    streams = STREAMS.format(mark=psql(made, POSITION)[0])
    while psql(made, streams) != ["t"]:
        time.sleep(PAUSE)
    expect("the new primary still takes writes", psql(made, "select pg_is_in_recovery()") == ["f"])


def psql(made: Living, *queries: str) -> list[str]:
    """Queries on the new primary, in one psql. Returns the lines it prints."""
    new = made.pair.standby
    return _psql(made, f"host={new.server.host} port={new.server.port} user=postgres dbname=orders", *queries)


def expect(what: str, holds: bool) -> None:
    """A check of the runbook: whoever sees that it does not hold stops there."""
    if not holds:
        raise AssertionError(f"by hand: not so: {what}")


def _replayed(made: Living) -> None:
    """Twice the same, all of it or with a rest that is half a record."""
    last, now = [""], psql(made, PROGRESS)
    while now != last or _behind(now[0]) > 1 << 20:
        time.sleep(PAUSE)
        last, now = now, psql(made, PROGRESS)


def _behind(progress: str) -> int:
    received, replayed = progress.split("|")
    return position(received) - position(replayed)


def _client(made: Living, *queries: str) -> list[str]:
    """As a client: a new connection to the endpoint, which has both hosts."""
    info = made.pair.endpoint
    where = f"host={info.host} port={info.options['port']} user=postgres dbname=orders target_session_attrs=read-write"
    return _psql(made, where, *queries)


def _psql(made: Living, where: str, *queries: str) -> list[str]:
    new = made.pair.standby
    commands = [part for each in queries for part in ("-c", each)]
    options = ("-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", f"{where} passfile={made.home(new)}/.pgpass")
    return require(new.shell, "psql", *options, *commands).splitlines()


def _controldata(node: Node, name: str) -> str:
    lines = require(node.shell, "env", "LC_ALL=C", "pg_controldata").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))

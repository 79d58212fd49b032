"""`orders` and `orders-standby`: booted in whatever state a drill left them, and never made worse.

A drill stops, starts and promotes these two behind the lab's back. So `up` first looks at both and starts
only what cannot become a second primary; what is not normal is said, with what to run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from day2.errors import Unavailable
from lab.files import own_folder, write_for
from lab.places import Places
from lab.ports import LOOPBACK
from lab.postgres import SUPERUSER, Server
from lab.processes import wait_until
from lab.say import say
from lab.secrets import Secrets

ORDERS, STANDBY = "orders", "orders-standby"
SLOT = "day2_peer"
STREAM_SECONDS = 30
WAL_FILE = re.compile(r"([0-9A-F]{8})(?:[0-9A-F]{16}|\.history)")
WAY_OUT = "run dr_drill.production with mode `failback` for orders, or `make clean` to begin anew"

FENCED = (
    "orders was stopped while orders-standby follows, and not by the lab, so it must stay stopped: a drill may be "
    "about to promote. If none is at work, `make down` and `make up` start it"
)


@dataclass(frozen=True)
class Found:
    """A server as its files say it, which is also how it would start. `stopped_by_hand`: not by the lab."""

    files: Literal["none", "primary", "standby"] = "none"
    running: bool = False
    stopped_by_hand: bool = False
    timeline: int = 0


def may_write(one: Found, other: Found) -> bool:
    """Whether this server may run as a primary. Both at once are never told yes, unless both already run."""
    if one.files != "primary":
        return False
    if one.running:
        return True
    if other.running and (other.files == "primary" or one.stopped_by_hand):
        return False  # the other has taken over, or a drill has fenced this one and may be about to promote
    return one.timeline > other.timeline or (one.timeline == other.timeline and other.files != "primary")


def is_normal(primary: Found, standby: Found) -> bool:
    """Whether the primary may take writes and the other is, or can be made, its standby."""
    if primary.files == "none":
        return standby.files == "none"
    return may_write(primary, standby) and standby.files != "primary"


def startable(primary: Found, standby: Found) -> list[str]:
    """The servers that may be started now, the one that takes writes first."""
    both = [(ORDERS, primary, standby), (STANDBY, standby, primary)]
    writers = [name for name, one, other in both if may_write(one, other)]
    return writers + [name for name, one, _ in both if one.files == "standby"]


def described(primary: Found, standby: Found) -> str:
    """Why the pair is not normal and what to run, in one line."""
    if primary.running and standby.running and primary.files == standby.files == "primary":
        return f"orders and orders-standby BOTH take writes: stop one of them now, then {WAY_OUT}"
    if primary.stopped_by_hand and standby.running and standby.files == "standby":
        return f"{FENCED}: {WAY_OUT}"
    parts = []
    for name, one, other in ((ORDERS, primary, standby), (STANDBY, standby, primary)):
        kind = {"none": "has no data", "primary": "is a primary", "standby": "is a standby"}[one.files]
        kept = one.files == "primary" and not may_write(one, other)
        parts.append(f"{name} {kind}{' that must stay stopped' if kept else ''}")
    return f"{' and '.join(parts)}, as a drill left them: {WAY_OUT}"


@dataclass(frozen=True)
class Pair:
    """The two servers."""

    primary: Server
    standby: Server
    secrets: Secrets

    def look(self) -> tuple[Found, Found]:
        """Both as they are now."""
        return look(self.primary), look(self.standby)

    def writer(self) -> Server | None:
        """The one server that runs as a primary; none if there is none, or two."""
        running = [
            server for server in (self.primary, self.standby) if (it := look(server)).running and it.files == "primary"
        ]
        return running[0] if len(running) == 1 else None

    def start_what_is_safe(self) -> None:
        """Start what cannot become a second primary, and say what state the pair is in."""
        found = self.look()
        say(f"  {described(*found)}", style="bold yellow")
        for name in startable(*found):
            server = self.primary if name == ORDERS else self.standby
            try:
                server.start(seconds=STREAM_SECONDS)
            except Unavailable as error:
                say(f"  {error}", style="yellow")

    def attach(self) -> None:
        """Make the standby if there is none, start it, and see that it streams."""
        with self.primary.connect() as connection:
            query = "SELECT pg_create_physical_replication_slot(%s, true) WHERE NOT EXISTS"
            query += " (SELECT FROM pg_replication_slots WHERE slot_name = %s)"
            connection.execute(query, (SLOT, SLOT))
        source = f"host={LOOPBACK} port={self.primary.port} user={SUPERUSER} application_name={_called(STANDBY)}"
        if new := self.standby.create_standby(source):
            say("  orders-standby is a copy of orders")
        try:
            self.standby.start()
            wait_until(self._streams, "replication from orders to orders-standby", seconds=STREAM_SECONDS)
        except Unavailable as error:
            if new:
                raise
            say(f"  {error} See {self.standby.processes.log(STANDBY)}; {WAY_OUT}", style="bold yellow")

    def _streams(self) -> bool:
        with self.primary.connect() as connection:
            query = "SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
            return connection.execute(query, (_called(STANDBY),)).fetchone() is not None


def look(server: Server) -> Found:
    """What the files of a server say, and whether it runs."""
    data = server.data
    if not data.exists():
        return Found()
    left_a_lock = (data / "postmaster.pid").exists()
    return Found(
        files="standby" if (data / "standby.signal").exists() else "primary",
        running=server.running,
        # A crash leaves the lock file, and the lab forgets the process when it stops it itself.
        stopped_by_hand=not server.running and not left_a_lock and server.processes.was_ours(server.name),
        timeline=timeline(data),
    )


def timeline(data: Path) -> int:
    """The newest timeline a server has written or received; pg_control shows it only after a checkpoint."""
    names = (WAL_FILE.fullmatch(each.name) for each in (data / "pg_wal").iterdir())
    return max((int(match[1], 16) for match in names if match), default=0)


def settings(places: Places, name: str, *, other_port: int, cleanup: str) -> dict[str, str]:
    """What both servers of the pair have: each knows how to follow the other, and both share an archive."""
    archive = own_folder(places.servers / "archive", places.run_as)
    passfile = places.servers / name / ".pgpass"
    target = f'"{archive}/%f"'
    copy = f'cp "%p" {target}.part && mv {target}.part {target}'
    return {
        "cluster_name": name,
        "primary_conninfo": f"host={LOOPBACK} port={other_port} user=replicator passfile='{passfile}' "
        f"application_name={_called(name)}",
        "primary_slot_name": SLOT,
        "hot_standby": "on",
        "hot_standby_feedback": "on",
        "archive_mode": "on",
        # Repeatable, and it refuses another content under the same name.
        "archive_command": f'if test -f {target}; then cmp -s "%p" {target}; else {copy}; fi',
        "restore_command": f'cp {target} "%p"',
        # The archive keeps what a standby might still ask for: a lab left running must not fill the disk.
        "archive_cleanup_command": f'"{cleanup}" "{archive}" %r',
        "max_slot_wal_keep_size": "1GB",
        # 5 s by default: a standby whose primary was away for a moment is back sooner.
        "wal_retrieve_retry_interval": "1s",
    }


def write_passfile(places: Places, name: str, secrets: Secrets) -> None:
    """The password file of a server's login: what follows the other server, and what the drill asks by SQL."""
    logins = ("replicator", "day2_drill")
    lines = [f"{LOOPBACK}:*:*:{login}:{secrets.password(f'orders/{login}')}\n" for login in logins]
    write_for(places.servers / name / ".pgpass", "".join(lines), places.run_as)


def _called(name: str) -> str:
    return name.replace("-", "_")

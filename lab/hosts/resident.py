"""The fleet that stays: one a state folder, up until somebody takes it down, as the demo needs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from day2.errors import PlanRefused
from lab.files import read_json
from lab.hosts import build, fleet
from lab.hosts.fleet import Fleet
from lab.hosts.repository import Repository

# Waves are made of groups: a canary, a few early ones, the rest.
NAMES = ("web-01", "web-02", "web-03", "app-01", "app-02", "db-01")


def ensure(folder: Path, names: Sequence[str] = NAMES) -> Fleet:
    """The fleet that runs; one is booted if none does."""
    found = find(folder)
    if found is None:
        down(folder)  # also one whose start was killed half-way: nobody knows its addresses
        return fleet.up(names, folder)
    return found


def find(folder: Path) -> Fleet | None:
    """The fleet that runs and has no owner, or none."""
    return next((each for each in _made(folder) if each.supervisor and each.known_hosts.exists()), None)


def newest(folder: Path) -> Fleet | None:
    """The fleet without an owner that runs, or the last that did: a killed one leaves its folder."""
    return find(folder) or max(_made(folder), key=lambda each: each.folder.stat().st_mtime, default=None)


def require(folder: Path) -> Fleet:
    """The fleet that runs. Raises PlanRefused if none does."""
    found = find(folder)
    if found is None:
        raise PlanRefused("no hosts are running", target=str(folder), next_step="python -m lab.hosts up")
    return found


def down(folder: Path) -> tuple[str, ...]:
    """End the fleet that stays and remove what killed ones left; returns the names of its hosts."""
    running = [each for each in _made(folder) if each.supervisor]
    for each in running:
        each.down()
    fleet.sweep(folder)
    return running[0].names if running else ()


def logins(made: Fleet) -> list[dict[str, object]]:
    """Per host what an SSH connection needs: address, login, private key, and the public key it must show."""
    lines = (line.split(maxsplit=1) for line in made.known_hosts.read_text().splitlines())
    keys = dict(lines)
    return [
        {
            "name": name,
            "host": made.address(name),
            "port": fleet.SSH_PORT,
            "user": build.USER,
            "key_file": str(made.login_key),
            "host_key": keys[made.address(name)],
        }
        for name in made.names
    ]


def _made(folder: Path) -> list[Fleet]:
    """Every fleet without an owner that has a folder, running or not."""
    found = []
    for home in (folder / "fleets").glob("fleet-*"):
        plan = read_json(home / "fleet.json")
        if plan and plan["owner"] is None:
            repository = Repository(home / "repository", Path(plan["shelf"]), home / "keys")
            found.append(Fleet(home, tuple(plan["names"]), repository))
    return found

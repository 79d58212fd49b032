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
    return find(folder) or fleet.up(names, folder)


def find(folder: Path) -> Fleet | None:
    """The fleet that runs and has no owner, or none."""
    for home in (folder / "fleets").glob("*"):
        plan = read_json(home / "fleet.json")
        if plan and plan["owner"] is None:
            made = Fleet(
                home, tuple(plan["names"]), Repository(home / "repository", Path(plan["shelf"]), home / "keys")
            )
            if made.supervisor:
                return made
    return None


def require(folder: Path) -> Fleet:
    """The fleet that runs. Raises PlanRefused if none does."""
    found = find(folder)
    if found is None:
        raise PlanRefused("no hosts are running", target=str(folder), next_step="python -m lab.hosts up")
    return found


def down(folder: Path) -> tuple[str, ...]:
    """End the fleet that stays and remove what killed ones left; returns the names of its hosts."""
    found = find(folder)
    if found:
        found.down()
    fleet.sweep(folder)
    return found.names if found else ()


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

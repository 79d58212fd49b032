"""The hosts that are patched: booted with the lab where this machine can, and missed out loud where it cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from day2.errors import Day2Error
from lab.hosts import apart, fleet, resident
from lab.hosts.fleet import Fleet
from lab.say import say, timed

SUPERVISOR = "hosts"


def folder(state: Path) -> Path:
    """Where they are kept."""
    return state / "hosts"


def start(state: Path) -> Fleet | None:
    """Boot them unless they run. Where that cannot be, say why; the rest of the lab does without."""
    if reason := fleet.why_not():
        say(f"  no hosts to patch here: {reason}. Everything else works", style="yellow")
        return None
    try:
        with timed("Hosts to patch"):
            return resident.ensure(folder(state))
    except Day2Error as error:
        say(f"  no hosts to patch: {error}. Everything else works", style="yellow")
        return None


def renew(state: Path) -> Fleet:
    """New ones in place of those there are: nothing installed since, and the repository as it was at first."""
    resident.down(folder(state))
    with timed("New hosts"):
        return resident.ensure(folder(state))


def stop(state: Path) -> list[str]:
    """End them; returns the names of what ran."""
    ended = resident.down(folder(state))
    return [SUPERVISOR, *ended] if ended else []


def remove(state: Path) -> None:
    """Remove all of them, the tree they share too; nothing, while hosts of somebody else's run from there."""
    home = folder(state)
    if not home.exists():
        return
    if fleet.running(home):
        say(f"  {home} stays: other hosts run from it, of a test for example", style="yellow")
        return
    try:
        shutil.rmtree(home)
    except PermissionError:
        # A tree that an ordinary user made belongs to that user's range of ids.
        subprocess.run(apart.inside("rm", "-r", "--", str(home), network=True), check=True)


def pids(state: Path) -> dict[str, int | None]:
    """The process of each host and of what keeps them; none where it should run and does not."""
    made = resident.newest(folder(state))
    if made is None:
        return {}
    supervisor = made.supervisor
    return {SUPERVISOR: supervisor, **{name: made[name].pid if supervisor else None for name in made.names}}


def connections(state: Path) -> dict[str, dict[str, Any]]:
    """Airflow's connection to each host that runs: the key is in its file, and only this host key is believed."""
    made = resident.find(folder(state))
    return {_id(str(each["name"])): _connection(each) for each in resident.logins(made)} if made else {}


def _id(name: str) -> str:
    return f"ssh_{name.replace('-', '_')}"


def _connection(login: dict[str, Any]) -> dict[str, Any]:
    return {
        "conn_type": "ssh",
        "host": login["host"],
        "port": login["port"],
        "login": login["user"],
        "extra": {
            "key_file": login["key_file"],
            "host_key": login["host_key"],
            "no_host_key_check": "false",
            "look_for_keys": "false",
        },
    }

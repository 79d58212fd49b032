"""Run our small POSIX shell scripts on a host: the script through stdin, its arguments as a list.

Nothing is installed there: a host needs `/bin/sh` and its own package manager, and a login that may sudo.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from day2.errors import StepFailed
from day2.hosts.model import Manager
from day2.hosts.shell import SECONDS, Done, Shell

SUDO = ("sudo", "-n", "--")
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Host:
    """A host to be patched. `become` is the command that makes the login root; empty for root's own.

    `manager` is what its scan said.
    """

    name: str
    shell: Shell
    become: tuple[str, ...] = SUDO
    manager: Manager = "apt"


def whole(name: str, manager: Manager = "apt") -> str:
    """A script of ours with the functions that all of them share: the package manager's own, if it has one."""
    folder = resources.files("day2.hosts") / "scripts"
    own = folder / manager / name
    files = (folder / "common.sh", own if own.is_file() else folder / name)
    return "\n".join(each.read_text(encoding="utf-8") for each in files)


def run(host: Host, name: str, *arguments: str, seconds: float = SECONDS, values: Mapping[str, str] = NOTHING) -> Done:
    """Run a script as root. Raises StepFailed if sudo refuses, Unavailable if the host does not answer.

    `values` are variables the script finds set: what is too long for an argument.
    """
    given = "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())
    # In braces: the shell reads all of it before it runs any, so no command of the script can eat the rest.
    # Its name is the first argument only so that a log, and `ps` on the host, say which one it is.
    body = f"{{\nshift\n{given}{whole(name, host.manager)}\n}} </dev/null\n".encode()
    return as_root(host, "sh", "-s", "--", name, *arguments, stdin=body, seconds=seconds)


def as_root(host: Host, *command: str, stdin: bytes = b"", seconds: float = SECONDS) -> Done:
    """Run a command as root. Raises StepFailed if sudo refuses."""
    done = host.shell.run(*host.become, *command, stdin=stdin, seconds=seconds)
    if done.code != 0 and host.become and done.stderr.lstrip().startswith("sudo:"):
        raise StepFailed(
            f"sudo refused: {done.words}",
            target=host.name,
            left="nothing was changed by this command",
            next_step=f"let the login run `{shlex.join(host.become)} sh` without a password, then clear the task",
            runbook="Sudo was refused",
        )
    return done


def lines(host: Host, name: str, *arguments: str, seconds: float = SECONDS) -> list[str]:
    """Run a script that must succeed and return the lines it printed."""
    done = run(host, name, *arguments, seconds=seconds)
    if done.code != 0:
        raise StepFailed(
            f"{name} answered {done.code}: {done.words or 'it said nothing'}",
            target=host.name,
            next_step=f"log in to {host.name} and look; its log is in this task's",
            runbook="A command on a host failed",
        )
    return done.stdout.splitlines()

"""A folder beside a server's data directory for what a rejoin keeps: settings, evidence, the old data.

One name, whatever the run: a run that comes after one that was killed finds what that one left. What is
in it is the drill's by definition, and clear_up removes it.
"""

from __future__ import annotations

from day2.hosts.shell import Done, require
from day2.operations.dr_drill import control
from day2.operations.dr_drill.pair import Node

SUFFIX = ".day2"
# Held by a program on the host, so that a rerun waits for one that outlived a killed worker.
LOCK = "lock"
BUSY = 75
LOCK_SECONDS = 30.0
MARK = """set -e
mkdir -p -m 700 "$1"
touch "$1/$2"
"""


def folder(node: Node) -> str:
    """Where it is on the host. It need not exist."""
    return control.data(node).rstrip("/") + SUFFIX


def make(node: Node) -> str:
    """Have the folder, for its owner alone."""
    where = folder(node)
    require(node.shell, "mkdir", "--parents", "--mode=700", where)
    return where


def has(node: Node, name: str) -> bool:
    """Whether something of that name is in it."""
    return node.shell.run("test", "-e", f"{folder(node)}/{name}").code == 0


def names(node: Node) -> list[str]:
    """What is in it; nothing if there is no folder."""
    where = folder(node)
    if node.shell.run("test", "-d", where).code:
        return []
    return require(node.shell, "ls", "-A", where).split()


def mark(node: Node, name: str) -> None:
    """Leave a mark that outlives this process."""
    require(node.shell, "sh", "-c", MARK, "mark", folder(node), name)


def forget(node: Node, *which: str) -> None:
    """Remove some of what is in it."""
    where = folder(node)
    require(node.shell, "rm", "--recursive", "--force", *(f"{where}/{name}" for name in which))


def alone(node: Node, *command: str, seconds: float) -> Done:
    """Run a long program, one at a time on this data directory, also when an earlier worker was killed.

    The folder must be there.
    """
    where = folder(node)
    options = ("--exclusive", f"--timeout={LOCK_SECONDS:.0f}", f"--conflict-exit-code={BUSY}")
    done = node.shell.run("flock", *options, f"{where}/{LOCK}", *command, seconds=seconds + LOCK_SECONDS)
    if done.code == BUSY and not done.words:
        return Done(BUSY, "", f"an earlier program still works on {control.data(node)}")
    return done

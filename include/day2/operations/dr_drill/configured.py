"""A server's own settings, read on its host from its files: also of a server that is stopped."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import aside, control
from day2.operations.dr_drill.pair import Node

PASSFILE = "passfile"


def value(node: Node, name: str) -> str:
    """What a setting would be at the next start. Its text may hold a password: it is never logged."""
    return require(node.shell, "postgres", *_as_started(node), "-C", name).strip()


def needed(node: Node, name: str) -> str:
    """The same, of a setting without which a server cannot follow. Raises StepFailed if it is empty."""
    if found := value(node, name):
        return found
    raise StepFailed(
        f"its configuration has no {name}",
        target=node.name,
        left="nothing was changed by this step",
        next_step=f"set {name} in the configuration of {node.name}, as its standby has it, and run the step again",
        runbook="A server cannot follow the other",
    )


def config_file(node: Node) -> str:
    """Where its configuration is, if that is not in the data directory; empty if it is."""
    options = _as_started(node)
    return next((each.partition("=")[2] for each in options if each.startswith("config_file=")), "")


@contextmanager
def source(node: Node, **more: str) -> Iterator[str]:
    """How a server connects to the one it follows, for a program on its host. No secret is in it.

    A password in its configuration would show in the host's process list: it goes into a private file.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    found: dict[str, Any] = conninfo_to_dict(needed(node, "primary_conninfo"))
    password = found.pop("password", None)
    if password is None:
        yield make_conninfo(**found | more)
        return
    passfile = f"{aside.make(node)}/{PASSFILE}"
    line = "*:*:*:*:" + str(password).replace("\\", "\\\\").replace(":", "\\:") + "\n"
    try:
        require(node.shell, "install", "--mode=600", "/dev/null", passfile)
        require(node.shell, "dd", "status=none", "conv=notrunc", f"of={passfile}", stdin=line.encode())
        yield make_conninfo(**found | {"passfile": passfile} | more)
    finally:
        node.shell.run("rm", "--force", passfile)


def _as_started(node: Node) -> tuple[str, ...]:
    """The options of its last start: they say where its configuration is, if not in the data directory."""
    data = control.data(node)
    opts = node.shell.run("cat", f"{data}/postmaster.opts")
    options = tuple(shlex.split(opts.stdout)[1:]) if opts.code == 0 else ()
    return options if any(each.startswith("-D") for each in options) else ("-D", data, *options)

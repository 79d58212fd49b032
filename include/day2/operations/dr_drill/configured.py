"""A server's own settings, read on its host from its files: also of a server that is stopped."""

from __future__ import annotations

import shlex

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import control
from day2.operations.dr_drill.pair import Node


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


def _as_started(node: Node) -> tuple[str, ...]:
    """The options of its last start: they say where its configuration is, if not in the data directory."""
    data = control.data(node)
    opts = node.shell.run("cat", f"{data}/postmaster.opts")
    options = tuple(shlex.split(opts.stdout)[1:]) if opts.code == 0 else ()
    return options if any(each.startswith("-D") for each in options) else ("-D", data, *options)

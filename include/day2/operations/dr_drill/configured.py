"""A server's own settings, read on its host from its files: also of a server that is stopped."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import aside, control
from day2.operations.dr_drill.pair import Node

PASSFILE = "passfile"
SOURCE = "primary_conninfo"
# A host is asked once for all of them; each ends with a byte that is in no setting.
EACH = r"""set -e
names=$1
shift
for name in $names; do
    postgres "$@" -C "$name"
    printf '\0'
done
"""


@dataclass(frozen=True)
class Settings:
    """What a server would start with. `config_file` is empty if its configuration is in its data directory."""

    node: Node
    values: Mapping[str, str] = field(repr=False)
    config_file: str

    def needed(self, name: str) -> str:
        """One without which a server cannot follow. Raises StepFailed if it is empty."""
        if found := self.values[name]:
            return found
        raise StepFailed(
            f"its configuration has no {name}",
            target=self.node.name,
            left="nothing was changed by this step",
            next_step=(
                f"set {name} in the configuration of {self.node.name}, as its standby has it, and run the step again"
            ),
            runbook="A server cannot follow the other",
        )


def read(node: Node, *names: str) -> Settings:
    """Settings as they would be at the next start. Their text may hold a password: it is never logged."""
    options = _as_started(node)
    said = require(node.shell, "sh", "-c", EACH, "each", " ".join(names), *options)
    config_file = next((each.partition("=")[2] for each in options if each.startswith("config_file=")), "")
    found = (each.strip() for each in said.split("\0")[:-1])
    return Settings(node, dict(zip(names, found, strict=True)), config_file)


def value(node: Node, name: str) -> str:
    """One of them; empty if it is not set."""
    return read(node, name).values[name]


@contextmanager
def source(node: Node, settings: Settings, **more: str) -> Iterator[str]:
    """How a server connects to the one it follows, for a program on its host. No secret is in it.

    A password in its configuration would show in the host's process list: it goes into a private file.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    found: dict[str, Any] = conninfo_to_dict(settings.needed(SOURCE))
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

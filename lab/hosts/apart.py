"""Run a command as root of namespaces of its own, so that an ordinary user too can have hosts.

Usage: python -m lab.hosts.apart <command> …
The command and all it starts see a network of their own, without a way out. Of an ordinary user it needs a
range of subordinate ids (/etc/subuid, /etc/subgid) and newuidmap (the package uidmap).
"""

from __future__ import annotations

import os
import subprocess
import sys

AS_ROOT = ("--user", "--map-auto", "--map-root-user")
# /run is the machine's root's; the network namespaces of the hosts are kept there.
PREPARE = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"'


def inside(*command: str, network: bool) -> tuple[str, ...]:
    """The command line that runs a command in there; with `network`, in this machine's network."""
    ids = () if os.geteuid() == 0 else AS_ROOT
    cut_off = () if network else ("--net",)
    prepare = 'exec "$@"' if network else PREPARE
    namespaces = (*ids, *cut_off, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    return ("unshare", *namespaces, "sh", "-c", prepare, "sh", *command)


def main(command: list[str]) -> int:
    """Build the shared tree, which needs the network, then run the command; returns its exit code."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    env = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    tree = inside(sys.executable, "-m", "lab.hosts", "tree", network=True)
    built = subprocess.run(tree, env=env)
    return built.returncode or subprocess.run(inside(*command, network=False), env=env).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

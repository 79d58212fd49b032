"""The edge host: the endpoint that clients of `orders` connect to, and the command that moves it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from day2.postgres.binaries import RunAs
from lab.files import own_folder, write_for
from lab.places import Places
from lab.ports import LOOPBACK, Ports, answers
from lab.processes import Processes, wait_until
from lab.say import say
from lab.ssh import EDGE, python_environment

ENDPOINT = "endpoint-orders"
# As a reload of HAProxy or pgbouncer would be; it answers only when the endpoint has taken the route over.
ROUTE_ORDERS = """\
#!/bin/sh
# Point the endpoint of orders at another server:  route-orders <host> <port>
set -eu
folder='{folder}'
[ $# -eq 2 ] || {{ echo "usage: route-orders <host> <port>" >&2; exit 2; }}
case $2 in '' | *[!0-9]*) echo "route-orders: not a port: $2" >&2; exit 2 ;; esac
printf '%s %s\\n' "$1" "$2" >"$folder/orders.route.$$"
mv "$folder/orders.route.$$" "$folder/orders.route"
tries=0
until [ "$(cat "$folder/orders.active" 2>/dev/null)" = "$1 $2" ]; do
  tries=$((tries + 1))
  [ $tries -le 250 ] || {{ echo "route-orders: the endpoint did not take over the route" >&2; exit 1; }}
  sleep 0.02
done
echo "clients of orders are sent to $1:$2"
"""

# Something that can be larger or smaller, and says itself how large it is.
SPOOL_SIZE = """\
#!/bin/sh
# How many megabytes the spool has, after making it that large if asked:  spool-size [<megabytes>]
set -eu
spool='{folder}/spool'
[ -e "$spool" ] || truncate -s 64M "$spool"
case "${{1-0}}" in *[!0-9]*) echo "spool-size: not a number: $1" >&2; exit 2 ;; esac
[ $# -eq 0 ] || truncate -s "$1M" "$spool"
echo $(($(stat -c %s "$spool") / 1048576))
"""


@dataclass(frozen=True)
class Edge:
    """The endpoint's process and its files, which belong to the servers' user."""

    folder: Path
    port: int
    run_as: RunAs
    processes: Processes

    @property
    def route(self) -> int | None:
        """The port of the server that clients are sent to."""
        path = self.folder / "orders.route"
        return int(path.read_text(encoding="utf-8").split()[1]) if path.exists() else None

    def make(self) -> None:
        """Make the host's home, with `route-orders` and `spool-size` in its PATH."""
        own_folder(self.folder, self.run_as)
        programs = own_folder(self.folder / "bin", self.run_as)
        for name, script in (("route-orders", ROUTE_ORDERS), ("spool-size", SPOOL_SIZE)):
            write_for(programs / name, script.format(folder=self.folder), self.run_as, mode=0o700)

    def send_to(self, port: int) -> None:
        """Send clients to the server on this port; said when it changes where they go."""
        before = self.route
        if before == port:
            return
        if before is not None:
            say(f"  clients of orders were sent to port {before}: now to {port}", style="yellow")
        write_for(self.folder / "orders.route", f"{LOOPBACK} {port}\n", self.run_as)

    def start(self) -> None:
        """Start the endpoint unless it runs."""
        if self.processes.pid(ENDPOINT) is None:
            command = (sys.executable, "-m", "lab.endpoint", str(self.port), str(self.folder), "orders")
            self.processes.start(ENDPOINT, command, env=python_environment())
        wait_until(self._answers, ENDPOINT, seconds=60, every=0.05)

    def _answers(self) -> bool:
        self.processes.require(ENDPOINT)
        return answers(self.port)


def edge(places: Places, ports: Ports) -> Edge:
    """Describe the edge host's endpoint."""
    processes = Processes(places.run, places.logs)
    port = ports.known(ENDPOINT, running=bool(processes.pid(ENDPOINT)))
    return Edge(places.servers / EDGE, port, places.run_as, processes)

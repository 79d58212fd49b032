"""`down`, `clean` and `status`: what needs only the records of what was started."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import files, patchable, places
from lab.airflow import API_SERVER, COMPONENTS
from lab.edge import ENDPOINT
from lab.fleet import BILLING, NAMES, PLATFORM, RECOVERY, WITH_LOGIN
from lab.pair import ORDERS, STANDBY
from lab.postgres import adopt
from lab.processes import Processes
from lab.receiver import NAME as ON_CALL
from lab.s3 import sweep_sockets
from lab.say import say
from lab.ssh import EDGE
from lab.tunable import HOLDER, LOAD

WRITER = "writer"
# Clients before servers. Running tasks report their end to the API server, and work on the hosts.
CLIENTS = (
    (WRITER, LOAD, HOLDER, *(name for name in COMPONENTS if name != API_SERVER)),
    (API_SERVER,),
)
HOSTS = (ENDPOINT, ON_CALL, *(f"ssh-{name}" for name in (*WITH_LOGIN, EDGE)))
STATE = (
    *("run", "logs", "airflow", "s3", "ssh", "servers", "lock", ON_CALL),
    *("patching-report.html", "patching-report-broken.html", "tuning-report.html", "capacity-report.html"),
    *("ports.json", "secrets.json", "connections.json", "writer.json", "acknowledged.jsonl", "acknowledged.old.jsonl"),
)


def down(*, store_grace: float = 30) -> list[str]:
    """Stop what the lab started and nothing else; returns the names of what was running.

    An object store takes 15 s to leave politely; `store_grace` is how long it may.
    """
    processes = _processes()
    state = places.state_folder()
    if processes is None:
        return patchable.stop(state)
    with files.lock(state / "lock"), ThreadPoolExecutor() as pool:
        running = [name for name in processes.names() if processes.pid(name)]
        stores = [name for name in running if _is_store(name)]
        leaving = [pool.submit(processes.stop, name, grace=store_grace) for name in stores]
        for group in stop_order(state / "servers"):
            list(pool.map(lambda name: _stop(processes, name), [name for name in group if name in running]))
        running += patchable.stop(state)
        for each in leaving:
            each.result()
        ports = files.read_json(state / "ports.json")
        sweep_sockets(port for name, port in ports.items() if _is_store(name))
    return running


def clean() -> None:
    """`down`, then remove the lab's state by name: `DAY2_STATE` may be a folder that holds other things."""
    down(store_grace=0)  # what they store is removed next
    state = places.state_folder()
    servers = state / "servers"
    if servers.is_symlink():
        _remove(servers.readlink())
    patchable.remove(state)
    for name in STATE:
        _remove(state / name)
    if state.exists() and not any(state.iterdir()):
        state.rmdir()
    say(f"Removed the lab's state in {state}")


def status() -> dict[str, int | None]:
    """Each process of the lab and its pid, or None where it should run and does not."""
    processes = _processes()
    own = {name: processes.pid(name) for name in processes.names()} if processes else {}
    return dict(sorted((own | patchable.pids(places.state_folder())).items()))


def stop_order(servers: Path) -> list[tuple[str, ...]]:
    """What is stopped together, in order: whichever server follows the other before the one it follows."""
    standbys = tuple(name for name in (ORDERS, STANDBY) if (servers / name / "data" / "standby.signal").exists())
    others = (name for name in (ORDERS, STANDBY, BILLING, RECOVERY, PLATFORM) if name not in standbys)
    return [*CLIENTS, (*HOSTS, *standbys), tuple(others)]


def _processes() -> Processes | None:
    state = places.state_folder()
    if not (state / "run").exists():
        return None
    processes = Processes(state / "run", state / "logs")
    for name in NAMES:
        adopt(processes, name, state / "servers" / name / "data")
    return processes


def _stop(processes: Processes, name: str) -> bool:
    # PostgreSQL takes SIGINT as "fast shutdown": it does not wait for its clients to leave.
    return processes.stop(name, by=signal.SIGINT if name in NAMES else signal.SIGTERM, grace=30)


def _is_store(name: str) -> bool:
    return name.startswith("s3-")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

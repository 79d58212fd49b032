"""`up` and `down`: everything the lab runs, started and stopped in the right order."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import files, places
from lab.airflow import COMPONENTS, Airflow
from lab.connections import write_connections
from lab.fleet import ORDERS, Fleet, fleet
from lab.places import CHECKOUT, Places
from lab.ports import Ports
from lab.processes import Processes
from lab.s3 import PORTS, Credentials, ObjectStore, sweep_sockets
from lab.say import say, timed
from lab.secrets import Secrets

# region: (bucket, with object lock)
BUCKETS = {
    "eu-west-1": ("day2-backups-eu-west-1", False),
    "eu-central-1": ("day2-vault-eu-central-1", True),
}
WRITER = "writer"
FIRST_TO_STOP = (*(name for name in COMPONENTS if name != "airflow-api-server"), "airflow-api-server", WRITER)


@dataclass(frozen=True)
class Lab:
    """What `up` made: the handles on everything that runs."""

    places: Places
    processes: Processes
    fleet: Fleet
    stores: list[ObjectStore]
    airflow: Airflow


def up(*, scale: int = 1, airflow: bool = True) -> Lab:
    """Boot what does not run; nothing happens to what does."""
    with timed("Boot"):
        where = places.prepare()
        with files.lock(where.state / "lock"):
            lab = _describe(where)
            with ThreadPoolExecutor() as pool:
                servers = pool.submit(lab.fleet.start, scale)
                stores = pool.submit(_start_stores, lab.stores)
                servers.result()
                _start_writer(lab)
                stores.result()
            write_connections(where, lab.fleet, lab.stores)
            if airflow:
                lab.airflow.start()
            lab.processes.require(WRITER)
    return lab


def down(*, store_grace: float = 30) -> list[str]:
    """Stop what the lab started and nothing else; returns the names of what was running.

    An object store takes 15 s to leave politely; `store_grace` is how long it may.
    """
    state = places.state_folder()
    if not (state / "run").exists():
        return []
    processes = Processes(state / "run", state / "logs")
    with files.lock(state / "lock"):
        running = [name for name in processes.names() if processes.pid(name)]
        with ThreadPoolExecutor() as pool:
            stores = [pool.submit(processes.stop, name, grace=store_grace) for name in running if _is_store(name)]
            for group in _stop_order([name for name in running if not _is_store(name)]):
                list(pool.map(lambda name: _stop(processes, name), group))
            for store in stores:
                store.result()
        ports = files.read_json(state / "ports.json")
        sweep_sockets(port for name, port in ports.items() if _is_store(name))
    return running


def clean() -> None:
    """`down`, then remove the state, the servers' data outside of it included."""
    down(store_grace=0)  # what it stores is removed next
    state = places.state_folder()
    for folder in (places.outside_folder(state), state):
        if folder.exists():
            shutil.rmtree(folder)
            say(f"removed {folder}")


def status() -> dict[str, int | None]:
    """Each process of the lab and its pid, or None where it should run and does not."""
    state = places.state_folder()
    if not (state / "run").exists():
        return {}
    processes = Processes(state / "run", state / "logs")
    return {name: processes.pid(name) for name in sorted(processes.names())}


def _describe(where: Places) -> Lab:
    processes = Processes(where.run, where.logs)
    ports = Ports(where.state / "ports.json")
    secrets = Secrets(where.state / "secrets.json")
    servers = fleet(where, ports, secrets=secrets, binaries=places.server_binaries(where))
    stores = [_store(where, processes, ports, secrets=secrets, region=region) for region in BUCKETS]
    return Lab(where, processes, servers, stores, Airflow(where, servers, processes, ports))


def _store(where: Places, processes: Processes, ports: Ports, *, secrets: Secrets, region: str) -> ObjectStore:
    runs = processes.pid(f"s3-{region}")
    chosen = {each: ports[f"s3-{region}-{each}"] if runs else ports.claim(f"s3-{region}-{each}") for each in PORTS}
    home = where.state / "s3" / region
    home.mkdir(mode=0o700, exist_ok=True)
    admin, user = (Credentials(who, secrets.password(f"s3-{region}/{who}")) for who in ("lab-admin", "day2"))
    return ObjectStore(region, home, chosen, admin, user, processes)


def _start_stores(stores: list[ObjectStore]) -> None:
    with timed("Object stores"), ThreadPoolExecutor() as pool:
        list(pool.map(_start_store, stores))


def _start_store(store: ObjectStore) -> None:
    store.start()
    bucket, lock = BUCKETS[store.region]
    store.ensure_bucket(bucket, lock=lock)


def _start_writer(lab: Lab) -> None:
    password = lab.fleet.secrets.password("orders/shop_app")
    conninfo = lab.fleet[ORDERS].conninfo("orders", user="shop_app", password=password, application_name="shop")
    files.write_json(lab.places.state / "writer.json", {"conninfo": conninfo})
    if not lab.processes.pid(WRITER):
        ours = (str(CHECKOUT / "include"), str(CHECKOUT), os.environ.get("PYTHONPATH", ""))
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, ours))}
        lab.processes.start(WRITER, (sys.executable, "-m", "lab.writer", str(lab.places.state)), env=env)


def _stop_order(running: list[str]) -> list[list[str]]:
    """Clients before servers, a standby before its primary, the platform's database last."""
    clients = [name for name in FIRST_TO_STOP if name in running]
    standbys = [name for name in running if name.endswith("-standby")]
    rest = [name for name in running if name not in (*clients, *standbys)]
    others = [name for name in clients if name != "airflow-api-server"]
    return [others, [name for name in clients if name not in others], standbys, rest]


def _is_store(name: str) -> bool:
    return name.startswith("s3-")


def _stop(processes: Processes, name: str) -> bool:
    import signal

    # PostgreSQL takes SIGINT as "fast shutdown": it does not wait for its clients to leave.
    is_client = name in FIRST_TO_STOP
    return processes.stop(name, by=signal.SIGTERM if is_client else signal.SIGINT, grace=30)

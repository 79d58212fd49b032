"""`up`: everything the lab runs, started in the right order."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import files, places
from lab.airflow import Airflow
from lab.connections import write_connections
from lab.fleet import ORDERS, Fleet, fleet
from lab.halt import WRITER, down
from lab.places import CHECKOUT, Places
from lab.ports import Ports
from lab.processes import Processes
from lab.s3 import PORTS, Credentials, ObjectStore
from lab.say import timed
from lab.secrets import Secrets

__all__ = ["Lab", "down", "up"]

# region: (bucket, with object lock)
BUCKETS = {
    "eu-west-1": ("day2-backups-eu-west-1", False),
    "eu-central-1": ("day2-vault-eu-central-1", True),
}


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

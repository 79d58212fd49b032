"""`up`: everything the lab runs, started in the right order."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from psycopg.conninfo import make_conninfo

from lab import files, patchable, places
from lab.airflow import Airflow
from lab.connections import write_connections
from lab.edge import Edge, edge
from lab.fleet import WITH_LOGIN, Fleet, fleet
from lab.halt import WRITER, down
from lab.pair import ORDERS, STANDBY, is_normal
from lab.places import Places
from lab.ports import LOOPBACK, Ports
from lab.processes import Processes
from lab.receiver import OnCall, on_call
from lab.s3 import PORTS, Credentials, ObjectStore
from lab.say import timed
from lab.secrets import Secrets
from lab.ssh import Host, hosts, python_environment

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
    hosts: list[Host]
    edge: Edge
    stores: list[ObjectStore]
    on_call: OnCall
    airflow: Airflow


def up(*, scale: int = 1, airflow: bool = True, hosts: bool = True) -> Lab:
    """Boot what does not run; nothing happens to what does. `hosts` are those that are patched."""
    with timed("Boot"):
        where = places.prepare()
        with files.lock(where.state / "lock"), ThreadPoolExecutor() as beside:
            lab = _describe(where)
            # Their tree takes longest at the first boot, and nothing waits for them.
            patched = beside.submit(patchable.start, where.state) if hosts else None
            with ThreadPoolExecutor() as pool:
                servers = pool.submit(lab.fleet.start, scale)
                stores = pool.submit(_start_stores, lab.stores)
                around = pool.submit(_start_hosts, lab)
                servers.result()
                _start_writer(lab)
                lab.on_call.start()
                _route(lab)
                around.result()
                stores.result()
            write_connections(lab)
            if airflow:
                lab.airflow.start()
            lab.processes.require(WRITER)
            if patched and patched.result():
                write_connections(lab)
    return lab


def _describe(where: Places) -> Lab:
    processes = Processes(where.run, where.logs)
    ports = Ports(where.state / "ports.json")
    secrets = Secrets(where.state / "secrets.json")
    servers = fleet(where, ports, secrets=secrets, binaries=places.server_binaries(where))
    logins = hosts(where, ports, {name: servers[name] for name in WITH_LOGIN})
    stores = [_store(where, processes, ports, secrets=secrets, region=region) for region in BUCKETS]
    airflow = Airflow(where, servers, processes, ports)
    alerted = on_call(where.state, ports, processes)
    return Lab(where, processes, servers, logins, edge(where, ports), stores, alerted, airflow)


def _store(where: Places, processes: Processes, ports: Ports, *, secrets: Secrets, region: str) -> ObjectStore:
    runs = bool(processes.pid(f"s3-{region}"))
    chosen = {each: ports.known(f"s3-{region}-{each}", running=runs) for each in PORTS}
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


def _start_hosts(lab: Lab) -> None:
    """The hosts first: they start together, and while the endpoint does."""
    with timed("Hosts and endpoint"):
        lab.edge.make()
        for host in lab.hosts:
            host.start()
        lab.edge.start()
        for host in lab.hosts:
            host.wait()


def _route(lab: Lab) -> None:
    """Send clients to the server that takes writes, if the pair is normal; else only follow a moved port."""
    ports = {lab.fleet[name].port for name in (ORDERS, STANDBY)}
    if is_normal(*lab.fleet.pair.look()):
        lab.edge.send_to(lab.fleet[ORDERS].port)
    elif lab.edge.route not in ports and (writer := lab.fleet.pair.writer()):
        lab.edge.send_to(writer.port)


def _start_writer(lab: Lab) -> None:
    files.write_json(lab.places.state / "writer.json", {"conninfo": _shop(lab.fleet)})
    if not lab.processes.pid(WRITER):
        command = (sys.executable, "-m", "lab.writer", str(lab.places.state))
        lab.processes.start(WRITER, command, env=python_environment())


def _shop(servers: Fleet) -> str:
    """How the shop connects: it knows both servers and takes the one that accepts writes."""
    both = [servers[ORDERS], servers[STANDBY]]
    return make_conninfo(
        host=",".join(LOOPBACK for _ in both),
        port=",".join(str(each.port) for each in both),
        user="shop_app",
        password=servers.secrets.password("orders/shop_app"),
        dbname="orders",
        application_name="shop",
        target_session_attrs="read-write",
        connect_timeout=2,
    )

"""Airflow's connections to the lab: one private JSON file, so that no secret is in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import patchable
from lab.edge import ENDPOINT
from lab.files import write_json
from lab.fleet import BILLING, PLATFORM, RECOVERY
from lab.pair import ORDERS, STANDBY
from lab.ports import LOOPBACK
from lab.s3 import ObjectStore
from lab.secrets import Secrets

if TYPE_CHECKING:
    from lab.boot import Lab


def write_connections(lab: Lab) -> None:
    """Write the file Airflow's LocalFilesystemBackend reads. Ports may have moved: it is made anew."""
    connections = {
        **_databases(lab),
        **{host.name.replace("-", "_"): host.connection() for host in lab.hosts},
        **patchable.connections(lab.places.state),
        **{f"s3_{store.region.replace('-', '_')}": _s3(store) for store in lab.stores},
        **lab.on_call.connections(),
        "day2_age": _age(lab.fleet.secrets),
        "day2_scrape": {"conn_type": "http", "password": lab.fleet.secrets.password("scrape")},
    }
    write_json(lab.places.connections, connections)


def _databases(lab: Lab) -> dict[str, dict[str, Any]]:
    secrets = lab.fleet.secrets
    drill = secrets.password("orders/day2_drill")
    orders, billing = secrets.awkward_password("orders/day2_backup"), secrets.awkward_password("billing/day2_backup")
    wanted = {
        "pg_orders": (ORDERS, "orders", "day2_backup", orders),
        "pg_orders_standby": (STANDBY, "orders", "day2_backup", orders),
        "pg_drill_orders": (ORDERS, "orders", "day2_drill", drill),
        "pg_drill_orders_standby": (STANDBY, "orders", "day2_drill", drill),
        "pg_endpoint_orders": (ENDPOINT, "orders", "day2_drill", drill),
        "pg_billing": (BILLING, "billing", "day2_backup", billing),
        "pg_tuning_billing": (BILLING, "billing", "day2_tuning", secrets.password("billing/day2_tuning")),
        "pg_sandbox": (BILLING, "sandbox", "day2_backup", billing),
        "pg_restore_orders": (ORDERS, "orders", "day2_restore", secrets.password("orders/day2_restore")),
        "pg_restore_billing": (BILLING, "billing", "day2_restore", secrets.password("billing/day2_restore")),
        "pg_recovery": (RECOVERY, "postgres", "day2_restore", secrets.password("recovery/day2_restore")),
        "day2_ledger": (PLATFORM, "day2_ledger", "day2_ledger_app", secrets.password("platform/day2_ledger_app")),
    }
    ports = {name: server.port for name, server in lab.fleet.servers.items()} | {ENDPOINT: lab.edge.port}
    return {
        name: {
            "conn_type": "postgres",
            "host": LOOPBACK,
            "port": ports[server],
            "schema": database,
            "login": user,
            "password": password,
        }
        for name, (server, database, user, password) in wanted.items()
    }


def _s3(store: ObjectStore) -> dict[str, Any]:
    return {
        "conn_type": "aws",
        "login": store.user.access_key,
        "password": store.user.secret_key,
        "extra": {
            "region_name": store.region,
            "endpoint_url": store.endpoint_url,
            "config_kwargs": {
                "s3": {"addressing_style": "path"},
                "retries": {"mode": "standard", "total_max_attempts": 4},
            },
        },
    }


def _age(secrets: Secrets) -> dict[str, Any]:
    recipient, identity = secrets.age()
    return {"conn_type": "generic", "login": recipient, "password": identity}

"""Airflow's connections to the lab: one private JSON file, so that no secret is in an environment."""

from __future__ import annotations

from typing import Any

from lab.files import write_json
from lab.fleet import BILLING, ORDERS, PLATFORM, STANDBY, Fleet
from lab.places import Places
from lab.ports import LOOPBACK
from lab.s3 import ObjectStore
from lab.secrets import Secrets


def write_connections(places: Places, fleet: Fleet, stores: list[ObjectStore]) -> None:
    """Write the file Airflow's LocalFilesystemBackend reads. Ports may have moved: it is made anew."""
    connections = {
        **_databases(fleet),
        **{f"s3_{store.region.replace('-', '_')}": _s3(store) for store in stores},
        "day2_age": _age(fleet.secrets),
    }
    write_json(places.connections, connections)


def _databases(fleet: Fleet) -> dict[str, dict[str, Any]]:
    secrets = fleet.secrets
    orders, billing = secrets.awkward_password("orders/day2_backup"), secrets.awkward_password("billing/day2_backup")
    wanted = {
        "pg_orders": (ORDERS, "orders", "day2_backup", orders),
        "pg_orders_standby": (STANDBY, "orders", "day2_backup", orders),
        "pg_billing": (BILLING, "billing", "day2_backup", billing),
        "pg_sandbox": (BILLING, "sandbox", "day2_backup", billing),
        "pg_restore_orders": (ORDERS, "orders", "day2_restore", secrets.password("orders/day2_restore")),
        "pg_restore_billing": (BILLING, "billing", "day2_restore", secrets.password("billing/day2_restore")),
        "day2_ledger": (PLATFORM, "day2_ledger", "day2_ledger_app", secrets.password("platform/day2_ledger_app")),
    }
    return {
        name: {
            "conn_type": "postgres",
            "host": LOOPBACK,
            "port": fleet[server].port,
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

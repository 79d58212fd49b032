"""Write what docker-compose.yaml needs and no file may come with: .env, and Airflow's connections.

`make compose-env`. Both files are new, private (0600), and never overwritten: the servers' volumes know
the passwords of the first time.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import sys
from pathlib import Path

from lab.files import write_json, write_private

PROJECT = Path(__file__).resolve().parents[1]
# The user of the Airflow image. It has group 0, and so may any other user id.
IMAGE_UID = 50000
PASSWORDS = (
    "POSTGRES_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "LEDGER_OWNER_PASSWORD",
    "LEDGER_APP_PASSWORD",
    "REDIS_PASSWORD",
    "OPERATOR_PASSWORD",
    "APPROVER_PASSWORD",
    "ADMIN_PASSWORD",
    "DEMO_POSTGRES_PASSWORD",
    "DEMO_BACKUP_PASSWORD",
    "DEMO_S3_ADMIN_KEY",
    "DEMO_S3_KEY",
)
KEYS = ("AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET")


def values() -> dict[str, str]:
    """A fresh value for every variable. No character of them needs quoting in a file, a URL or JSON."""
    return {
        # A container runs as this user, so it can read the private file of connections.
        "AIRFLOW_UID": str(os.getuid() or IMAGE_UID),
        **{name: secrets.token_urlsafe(24) for name in PASSWORDS},
        **{name: secrets.token_urlsafe(64) for name in KEYS},
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def connections(env: dict[str, str]) -> dict[str, object]:
    """What Airflow's LocalFilesystemBackend reads: the ledger, the demo's servers, and a key for backups."""
    from pyrage import x25519

    identity = x25519.Identity.generate()
    source = {"login": "day2_backup", "password": env["DEMO_BACKUP_PASSWORD"]}
    return {
        "day2_ledger": _postgres(
            "postgres", "day2_ledger", login="day2_ledger_app", password=env["LEDGER_APP_PASSWORD"]
        ),
        "day2_age": {"conn_type": "generic", "login": str(identity.to_public()), "password": str(identity)},
        "pg_orders": _postgres("demo-source", "orders", **source),
        "pg_billing": _postgres("demo-source", "billing", **source),
        "s3_demo": {
            "conn_type": "aws",
            "login": "day2",
            "password": env["DEMO_S3_KEY"],
            "extra": {
                "region_name": "eu-west-1",
                "endpoint_url": "http://demo-s3:8333",
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
    }


def write(folder: Path) -> list[Path]:
    """Write both files under the folder. Refuses, before it writes any, if one of them exists."""
    env_file, connections_file = folder / ".env", folder / "compose/private/connections.json"
    for each in (env_file, connections_file):
        if each.exists():
            why = "the servers' volumes may know its passwords; `docker compose down --volumes`, then remove it"
            sys.exit(f"{each} is there already, nothing was written: {why}")
    env = values()
    text = "".join(f"{name}={value}\n" for name, value in env.items())
    connections_file.parent.mkdir(parents=True, exist_ok=True)
    # Its owner alone may read it, so its owner is who the containers run as.
    write_json(connections_file, connections(env))
    if os.getuid() == 0:
        os.chown(connections_file, IMAGE_UID, 0)
    write_private(env_file, f"# For docker compose, which reads it by itself. Keep it: the volumes know these.\n{text}")
    return [env_file, connections_file]


def main() -> None:
    """Write the files and say what they are for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT, help="where docker-compose.yaml is")
    for each in write(parser.parse_args().folder):
        print(f"wrote {each}")  # noqa: T201
    print("accounts: operator, approver, admin; their passwords are in .env")  # noqa: T201


def _postgres(host: str, database: str, *, login: str, password: str) -> dict[str, object]:
    return {
        "conn_type": "postgres",
        "host": host,
        "port": 5432,
        "schema": database,
        "login": login,
        "password": password,
    }


if __name__ == "__main__":
    main()

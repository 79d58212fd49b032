"""Before anything starts: both databases at this version's schema, and the accounts with their passwords.

Safe to repeat: every `docker compose up` runs it. An account's password becomes what .env says.
"""

from __future__ import annotations

import os
import subprocess

# User may trigger, clear and answer approvals; it may not change connections, variables or accounts.
ACCOUNTS = {"operator": "User", "approver": "User", "admin": "Admin"}
# Without the first a user sees no plugin page in the navigation; the second is the event log.
ALSO_FOR_USERS = (("can_read", "Plugins"), ("can_read", "Audit Logs"))


def main() -> None:
    """Run every step; the first that fails ends the container, and nothing else starts."""
    subprocess.run(("airflow", "db", "migrate"), check=True)
    print("ledger at revision", migrate_ledger())  # noqa: T201
    ensure_accounts()


def migrate_ledger() -> str:
    """Bring the ledger's schema to this version, as its owner. Returns the revision."""
    from psycopg.conninfo import make_conninfo

    from day2.ledger.migrate import migrate

    password = os.environ["LEDGER_OWNER_PASSWORD"]
    owner = make_conninfo(host="postgres", dbname="day2_ledger", user="day2_ledger_owner", password=password)
    return migrate(owner, app_role="day2_ledger_app")


def ensure_accounts() -> None:
    """Make the accounts, or give existing ones their password.

    Not with `airflow users create`: it would show each password in the process list.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: TID251

    with get_application_builder() as builder:
        security = builder.sm
        for name, role in ACCOUNTS.items():
            password = os.environ[f"{name.upper()}_PASSWORD"]
            if known := security.find_user(username=name):
                done = security.reset_password(known.id, password)
            else:
                address = f"{name}@day2.invalid"
                done = security.add_user(name, name.title(), "Day 2", address, security.find_role(role), password)
            if not done:
                raise SystemExit(f"the account `{name}` could not be made")
        users = security.find_role("User")
        for action, resource in ALSO_FOR_USERS:
            security.add_permission_to_role(users, security.create_permission(action, resource))


if __name__ == "__main__":
    main()

"""Entries and leases."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the only function that appends."""
    # Straight to the driver: many statements in one text, in which % is an ordinary sign.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Refused: this would delete evidence."""
    raise RuntimeError("the ledger has no way back: dropping its tables would delete evidence")

"""Samples of metrics, what they are rolled up to, and where each stands."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the functions that make and drop partitions."""
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Refused: this would delete evidence."""
    raise RuntimeError("the ledger has no way back: dropping its tables would delete evidence")

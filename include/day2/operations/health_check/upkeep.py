"""Once an hour: roll samples up, and drop what the policy keeps no longer. It is written down what was dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

from day2.inventory.health import Retention
from day2.ledger import Ledger
from day2.ledger.metrics import Metrics

KIND = "metric_upkeep"
EVERY = timedelta(hours=1)
# Samples of sources with a delay still get into the rollup of their hour.
LATE = timedelta(hours=6)


def due(ledger: Ledger, environment: str, *, now: datetime) -> bool:
    """Whether nobody did it within the hour."""
    done = (each.body["environment"] for each in ledger.entries(kind=KIND, since=now - EVERY))
    return environment not in done


def keep_house(
    ledger: Ledger, metrics: Metrics, retention: Retention, *, environment: str, run: str, attempt: int, now: datetime
) -> None:
    """Roll up since the last time, drop whole months and hours that are too old, and say so in the ledger."""
    done = ledger.entries(kind=KIND, since=now - retention.raw)
    last = [each for each in done if each.body["environment"] == environment]
    since = datetime.fromisoformat(last[-1].recorded_at) - LATE if last else now - retention.raw
    rolled = metrics.roll(since, now)
    dropped = metrics.expire(now - retention.raw, hours_before=now - retention.hours)
    body = {"attempt": attempt, "environment": environment, "rolled_up": rolled, "dropped": dropped}
    ledger.append(KIND, run=run, body=body)

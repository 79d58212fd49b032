"""The ledger: append-only evidence in a hash chain, leases beside it, records made from it."""

from day2.ledger.attempts import Act, Outcome, attempt
from day2.ledger.migrate import migrate
from day2.ledger.store import Entry, Ledger

__all__ = ["Act", "Entry", "Ledger", "Outcome", "attempt", "migrate"]

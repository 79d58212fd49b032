"""What runs out: transaction ids, sequences, connections; and what keeps it from being freed: sessions and slots."""

from __future__ import annotations

from collections.abc import Iterator

from day2.operations.performance_tuning import queries
from day2.operations.performance_tuning.facts import Facts, Sequence, Slot, Transaction
from day2.operations.performance_tuning.model import Change, Evidence, Kind, Recommendation
from day2.operations.performance_tuning.thresholds import Thresholds
from day2.operations.performance_tuning.wording import NOTHING_TO_REVERSE, evidence, literal, share
from day2.units import duration, size

IDS = 2**31
RANGES = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def ages(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Transaction and multixact ids that vacuum did not free in time: at the end the server refuses to write."""
    kinds: tuple[tuple[Kind, str, str, str], ...] = (
        ("transaction_id_age", "xid_age", "autovacuum_freeze_max_age", "age(datfrozenxid)"),
        ("multixact_age", "mxid_age", "autovacuum_multixact_freeze_max_age", "mxid_age(datminmxid)"),
    )
    for kind, counter, setting, function in kinds:
        age = facts.counters.get(counter, 0)
        begins = facts.number(setting) or 0
        # Autovacuum's own limit may be set high on purpose: only what it should have dealt with is late.
        if age < limits.xid_share * IDS or age < 1.5 * begins:
            continue
        oldest = max(facts.tables, key=lambda each: getattr(each, counter), default=None)
        vacuum = (
            Change(f"VACUUM (FREEZE) {oldest.name}", NOTHING_TO_REVERSE, "SHARE UPDATE EXCLUSIVE") if oldest else None
        )
        yield Recommendation(
            kind=kind,
            object=facts.database,
            says=f"{share(age / IDS)} of the ids before the server stops taking writes are used up, and autovacuum, "
            f"which begins at {begins:.0f}, is behind",
            evidence=(
                evidence("age", age, "ids", queries.of_database(function, "pg_database")),
                evidence("oldest table", oldest.name if oldest else "", "", queries.OLDEST),
                *_holders(facts),
            ),
            gain="the server goes on taking writes",
            risk="moderate",
            source="check_postgres txn_wraparound, PgHero transaction_id_danger",
            score=age / IDS,
            change=vacuum,
            to_do="look first for what holds ids (old transactions, prepared ones, slots); then vacuum",
        )


def _holders(facts: Facts) -> Iterator[Evidence]:
    for each in sorted(facts.transactions, key=lambda one: -one.xid_age)[:1]:
        yield evidence("oldest transaction's age", each.xid_age, "ids", queries.SESSIONS)
    for slot in sorted(facts.slots, key=lambda one: -one.xid_age)[:1]:
        yield evidence("oldest slot's age", slot.xid_age, "ids", queries.of_slot(slot.name))


def sequences(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Sequences that near the end of their own range or of their column's type."""
    for each in facts.sequences:
        end = min(each.maximum, each.column_maximum or each.maximum)
        # One whose range ends at zero or below counts towards it: that is not judged.
        if each.last is None or each.cycles or each.increment < 0 or end <= 0:
            continue
        if each.last < limits.sequence_share * end:
            continue
        yield _sequence(each, end)


def _sequence(found: Sequence, end: int) -> Recommendation:
    used = (found.last or 0) / end
    wider = (found.column_maximum or 0) > found.maximum and found.column_type in RANGES
    whole_range = found.maximum == RANGES.get(found.type)
    change = None
    to_do = (
        f"{found.column or 'what it fills'} must become bigint: a rewrite of the table under ACCESS EXCLUSIVE, or a "
    )
    to_do += (
        "new column filled by a trigger and in batches, then exchanged; plan it before the date that its pace gives"
    )
    if wider and whole_range:
        to_do = ""
        change = Change(
            statement=f"ALTER SEQUENCE {found.name} AS {found.column_type}",
            reverse=f"ALTER SEQUENCE {found.name} AS {found.type}",
            locks="SHARE ROW EXCLUSIVE on the sequence, for a moment: nextval waits",
        )
    elif wider:
        to_do = (
            f"its MAXVALUE {found.maximum} was set by somebody: ask why, then ALTER SEQUENCE {found.name} NO MAXVALUE"
        )
    return Recommendation(
        kind="sequence_exhaustion",
        object=found.name,
        says=f"{share(used)} of its values are used up; after {end} every insert fails",
        evidence=(
            evidence("last value", found.last or 0, "", queries.of_sequence(found.name)),
            evidence("end", end, "", queries.of_sequence(found.name)),
            evidence(
                "fills", f"{found.column} {found.column_type}".strip() or "nothing", "", queries.filled_by(found.name)
            ),
        ),
        gain="inserts go on",
        risk="safe" if change else "high",
        source="check_postgres sequence, PgHero sequence_danger",
        score=used,
        change=change,
        to_do=to_do,
    )


def transactions(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Transactions open for so long that vacuum cannot remove what they might still see."""
    for each in facts.transactions:
        # pg_dump must be open for as long as it dumps, and is a program somebody waits for.
        if each.seconds < limits.transaction_seconds or each.application == "pg_dump":
            continue
        yield _transaction(each)


def _transaction(found: Transaction) -> Recommendation:
    who = f"{found.user} ({found.application or 'no application name'})"
    end = f"SELECT pg_terminate_backend({found.pid})"
    if found.pid is None:
        end = f"ROLLBACK PREPARED {literal(found.application)} (or COMMIT PREPARED: its coordinator knows)"
    return Recommendation(
        kind="long_transaction",
        object=f"prepared {found.application}" if found.pid is None else f"session {found.pid} of {who}",
        says=f"a transaction of {who} is open for {duration(found.seconds)} ({found.state}): vacuum removes nothing "
        "that it may still see, and its locks stay",
        evidence=(
            evidence("open for", found.seconds, "s", queries.of_session("state, now() - xact_start", found.pid)),
            evidence(
                "ids held", found.xid_age, "ids", queries.of_session("age(backend_xid), age(backend_xmin)", found.pid)
            ),
            evidence("last statement", found.query, "", queries.of_session("query", found.pid)),
        ),
        gain="vacuum frees what it holds",
        risk="high",
        source="PgHero long_running_queries, check_postgres txn_idle, prepared_txns",
        to_do=f"ask its owner; then {end}. What leaves sessions open will do it again: "
        "idle_in_transaction_session_timeout for that role ends them by itself",
    )


def slots(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Slots that keep write-ahead log for somebody who does not fetch it, or who lost it already."""
    for each in facts.slots:
        pins = each.retained_bytes >= limits.slot_bytes and not each.active
        if pins or each.wal_status in ("unreserved", "lost"):
            yield _slot(facts, each)


def _slot(facts: Facts, found: Slot) -> Recommendation:
    keep = facts.bytes_of("max_slot_wal_keep_size")
    bound = "nothing bounds it: the disk fills" if keep is None or keep < 0 else f"it is lost beyond {size(keep)}"
    if found.wal_status == "lost":
        says = f"{found.name} lost write-ahead log that it needed: who follows by it must be made anew"
    else:
        says = f"{found.name} keeps {size(found.retained_bytes)} of write-ahead log, and nobody fetches it; {bound}"
    return Recommendation(
        kind="slot_pins_wal",
        object=found.name,
        says=says,
        evidence=(
            evidence("kept", found.retained_bytes, "bytes", queries.of_slot(found.name)),
            evidence("active", "yes" if found.active else "no", "", queries.of_slot(found.name)),
            evidence("status", found.wal_status, "", queries.of_slot(found.name)),
            evidence("ids held", found.xid_age, "ids", queries.of_slot(found.name)),
        ),
        gain=f"{size(found.retained_bytes)} of disk",
        risk="high",
        source="check_postgres replication_slots",
        to_do=f"find who used it; if nobody will, SELECT pg_drop_replication_slot({literal(found.name)}): a follower "
        "that needs it must then be rebuilt",
    )


def connections(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Connections near their limit: the next client is refused."""
    most, used = facts.number("max_connections"), facts.counters.get("connections", 0)
    if not most or used < limits.connection_share * most:
        return
    yield Recommendation(
        kind="connection_pressure",
        object="max_connections",
        says=f"{used:.0f} of {most:.0f} connections are taken, {facts.counters.get('idle', 0):.0f} of them idle",
        evidence=(
            evidence("taken", used, "connections", queries.CONNECTIONS),
            evidence("idle", facts.counters.get("idle", 0), "connections", queries.CONNECTIONS),
            evidence("limit", most, "connections", "show max_connections"),
        ),
        gain="the next client is let in",
        risk="high",
        source="check_postgres backends, PgHero total_connections",
        score=used / most,
        to_do="a pooler (pgbouncer, transaction mode), or smaller pools in the applications; more max_connections "
        "needs a restart and memory, and rarely makes anything faster",
    )

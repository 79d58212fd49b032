"""A rehearsal: real statements run on a copy, before and with a change. Nothing here touches the living database.

The copy is a server somebody made ready (a scratch restore of a recovery point). Only statements that read are run,
in read-only transactions, and with values taken from the copy's own rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import target
from day2.operations.performance_tuning.apply import apply, revert, state
from day2.operations.performance_tuning.candidates import readable
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.parameters import NoValue, Parameter, parameters, value
from day2.operations.performance_tuning.session import session
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")

CALLS = 8
SAMPLE = 200
STATEMENT_SECONDS = 30
NAME = "day2_replay"
SCHEMAS = """
select string_agg(quote_ident(nspname), ', ' order by nspname <> 'public', nspname) from pg_namespace
where nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'
"""


@dataclass(frozen=True)
class Wanted:
    """A statement of the living database, as pg_stat_statements tells it."""

    queryid: int
    text: str
    calls: float = 1.0


@dataclass(frozen=True)
class Call:
    """One statement ready to run, with each of its calls written out."""

    wanted: Wanted
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What a call took, as the mean of all."""

    blocks: float
    ms: float


@dataclass
class Replayed:
    """What was run on the copy, and what could not be."""

    before: dict[int, Cost] = field(default_factory=dict)
    after: dict[int, Cost] = field(default_factory=dict)
    not_replayed: dict[int, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "values": "taken from rows of the copy; nobody knows what people asked for",
            "statements": [
                {"queryid": str(each), "before": asdict(self.before[each]), "after": asdict(self.after[each])}
                for each in self.after
            ],
            "not_replayed": [{"queryid": str(each), "why": why} for each, why in self.not_replayed.items()],
        }


def replay(copy: Server, change: Change, wanted: Sequence[Wanted], policy: TuningPolicy) -> Replayed:
    """Run the statements before and with the change, which is then undone. Raises StepFailed, Unavailable."""
    done = Replayed()
    calls = _prepared(copy, wanted, done)
    done.before = _run(copy, calls, done)
    before = state(copy, change)
    apply(copy, change, policy, before=before)
    try:
        ran = _run(copy, [each for each in calls if each.wanted.queryid in done.before], done)
    finally:
        revert(copy, change, policy, before=before)
    done.after = {each: cost for each, cost in ran.items() if each in done.before}
    return done


def promising(done: Replayed, change: Change, policy: TuningPolicy) -> tuple[bool, str]:
    """Whether to try it on the living database: its own statements read less, and none reads much more. Pure.

    Of a setting less time is enough. An index that is not read has no effect, and a shorter time is chance.
    """
    own, index = change.measured_by, target.of(change).subject in ("index", "index rebuild")
    measured = [each for each in own if each in done.after]
    if not measured:
        return True, "none of its statements could be replayed: only the living database can tell"
    worse = [each for each in done.after if each not in own and _grew(done, each) > policy.measure.guard_percent / 100]
    if worse:
        return False, f"on a copy it made statement {worse[0]} read {_grew(done, worse[0]):+.0%} blocks"
    before, after = (sum(side[each].blocks for each in measured) for side in (done.before, done.after))
    least = policy.measure.minimum_gain_percent / 100
    gained = after <= before * (1 - least)
    faster = sum(done.after[each].ms for each in measured) <= sum(done.before[each].ms for each in measured) * (
        1 - least
    )
    says = f"on a copy its statements read {before:.4g} blocks a call without it, {after:.4g} with it"
    return gained or (not index and after <= before and faster), says


def _grew(done: Replayed, queryid: int) -> float:
    before, after = done.before[queryid].blocks, done.after[queryid].blocks
    return after / before - 1 if before else 0.0


def _prepared(copy: Server, wanted: Sequence[Wanted], done: Replayed) -> list[Call]:
    import psycopg

    found = []
    with _reading(copy) as connection:
        for each in wanted:
            try:
                found.append(Call(each, _arguments(connection, parameters(each.text))))
            except (NoValue, psycopg.DatabaseError) as error:
                if connection.broken:
                    raise
                done.not_replayed[each.queryid] = str(error).splitlines()[0]
    return found


def _arguments(connection: psycopg.Connection[Any], asked: Sequence[Parameter]) -> tuple[str, ...]:
    samples = {each.number: _sample(connection, each) for each in asked}
    calls = [", ".join(value(each, samples[each.number], number) for each in asked) for number in range(CALLS)]
    return tuple(calls if asked else calls[:1])


def _sample(connection: psycopg.Connection[Any], asked: Parameter) -> list[str]:
    """Values of the expression that a parameter is compared with, in order. The same each time."""
    import psycopg

    for table in asked.tables:
        question = (
            f"select v::text from (select {asked.expression} as v from {table} "  # noqa: S608 parsed, and read-only
            f"where {asked.expression} is not null order by hashtext(({asked.expression})::text) limit {SAMPLE}) as s "
            "order by v"
        )
        try:
            with connection.transaction():
                return [row[0] for row in connection.execute(question.encode())]
        except psycopg.errors.SyntaxErrorOrAccessRuleViolation:
            continue  # an expression over another table than this
    return []


def _run(copy: Server, calls: Sequence[Call], done: Replayed) -> dict[int, Cost]:
    """Each call once to warm the cache, and once to count."""
    import psycopg

    found = {}
    with _reading(copy) as connection:
        for each in calls:
            try:
                with connection.transaction(force_rollback=True):
                    found[each.wanted.queryid] = _cost(connection, each)
            except psycopg.DatabaseError as error:
                if connection.broken:
                    raise
                done.not_replayed[each.wanted.queryid] = str(error).splitlines()[0]
    return found


def _cost(connection: psycopg.Connection[Any], call: Call) -> Cost:
    # Prepared statements outlive a rollback; through the extended protocol it can be one statement only.
    connection.execute("deallocate all")
    connection.execute(f"prepare {NAME} as {readable(call.wanted.text)}".encode(), binary=True)
    seen = []
    for _ in range(2):
        seen = [_explained(connection, arguments) for arguments in call.arguments]
    return Cost(sum(each.blocks for each in seen) / len(seen), sum(each.ms for each in seen) / len(seen))


def _explained(connection: psycopg.Connection[Any], arguments: str) -> Cost:
    called = f"{NAME}({arguments})" if arguments else NAME
    row = connection.execute(f"explain (analyze, buffers, format json) execute {called}".encode()).fetchone()
    [found] = row[0] if row else [{}]
    return Cost(_blocks(found["Plan"]), found["Execution Time"])


def _blocks(plan: Mapping[str, Any]) -> float:
    names = ("Shared Hit Blocks", "Shared Read Blocks", "Temp Read Blocks", "Temp Written Blocks")
    return float(sum(plan.get(each, 0) for each in names))


@contextmanager
def _reading(copy: Server) -> Iterator[psycopg.Connection[Any]]:
    """A session that cannot write, and finds tables as the living database's sessions would."""
    with session(copy, statement_timeout=timedelta(seconds=STATEMENT_SECONDS)) as connection:
        row = connection.execute(SCHEMAS).fetchone()
        settings = {
            "search_path": row[0] if row else "",
            "default_transaction_read_only": "on",
            "plan_cache_mode": "force_custom_plan",
        }
        for name, setting in settings.items():
            connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, setting))
        yield connection

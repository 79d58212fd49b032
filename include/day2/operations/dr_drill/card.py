"""What a scorecard says, gathered from ledger entries alone. Pure: the same entries give the same card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from day2.errors import PlanRefused
from day2.ledger import record
from day2.ledger.store import Entry, Ledger
from day2.operations.dr_drill import actions, details, trend
from day2.operations.dr_drill.actions import Action
from day2.operations.dr_drill.trend import Forecast, Point

OPERATION, BACKUP = "dr_drill", "database_backup"
# What is needed of other runs: earlier drills and backups for the trend, and actions that are still open.
OTHERS = ("record", actions.OPENED, actions.CLOSED)
STATUSES = ("succeeded", "failed", "not_attempted", "not_applicable")
SEVERITIES = ("critical", "warning", "info")
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One try of a step. `ended` is none when its worker was killed."""

    name: str
    attempt: int
    number: int
    started: datetime
    ended: datetime | None
    outcome: str
    measures: Row
    error: str
    left: str

    @property
    def state(self) -> str:
        """What state every server was in after it."""
        return str(self.measures.get("state") or self.left)

    @property
    def details(self) -> list[str]:
        """What it measured, in words."""
        return details.of(self.name, self.measures)

    @property
    def seconds(self) -> float | None:
        return (self.ended - self.started).total_seconds() if self.ended else None


@dataclass(frozen=True, kw_only=True)
class TargetCard:
    """One database: what was promised, what was measured, step by step."""

    name: str
    owner: str
    status: str
    strategy: str
    source: str
    destination: str
    rto_seconds: float
    rpo_seconds: float
    steps: tuple[Step, ...]
    measures: Mapping[str, Row]
    readiness: tuple[Row, ...]
    manual: tuple[Row, ...]
    history: tuple[Point, ...]
    forecast: Forecast

    def measured(self, step: str, name: str) -> Any:
        """A measure, or none."""
        return self.measures.get(step, {}).get(name)

    @property
    def t0(self) -> datetime | None:
        """When the disaster was declared: the RTO's clock starts."""
        return moment(self.measured("declare", "declared_at"))

    @property
    def first_write(self) -> datetime | None:
        """When the probe outside had its first verified write: the RTO's clock stops."""
        return moment(self.measured("verify", "first_write_at"))

    @property
    def point_of_no_return(self) -> datetime | None:
        """From the beginning of the promotion on, going back costs; never, where it is said to be free after it too."""
        if all(each.measures.get("safe_to_abort") for each in self.steps if each.name == "promote"):
            return None
        return next((each.started for each in self.steps if each.name == "promote"), None)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A drill as people read it afterwards."""

    run: str
    record: Mapping[str, Any]
    mode: str
    charter: Row
    targets: tuple[TargetCard, ...]
    checks: tuple[Row, ...]
    manual: tuple[Row, ...]
    sign_offs: tuple[Row, ...]
    actions: tuple[Action, ...]
    older_actions: tuple[Action, ...]
    simulated: tuple[str, ...]
    as_of: datetime
    last_seq: int
    last_hash: str
    recorded: bool

    @property
    def environment(self) -> str:
        return str(self.record["environment"])

    @property
    def verdict(self) -> str:
        return str(self.record["verdict"])


def read(ledger: Ledger, run: str, *, upto: int | None = None) -> list[Entry]:
    """The entries a card is made from, in the order of the ledger, up to a number."""
    others = (entry for kind in OTHERS for entry in ledger.entries(kind=kind) if _needed(entry))
    having = {entry.seq: entry for entry in (*ledger.entries(run=run), *others)}
    return [having[seq] for seq in sorted(having) if upto is None or seq <= upto]


def gather(entries: Sequence[Entry], run: str) -> Card:
    """The card of a run. `entries` are its own and those of OTHERS, in the order of the ledger.

    Raises PlanRefused for a run whose plan is not among them: there is nothing to show.
    """
    own = [entry for entry in entries if entry.run == run]
    plan = next((entry.body for entry in reversed(own) if entry.kind == "plan"), None)
    if plan is None or plan["operation"] != OPERATION:
        raise PlanRefused(
            "the ledger has no plan of a drill by this name", target=run, next_step="see: day2 drill list"
        )
    made, recorded = record.so_far(own, plan)
    manual = _manual(own)
    known = [each for each in actions.every(entries) if each.environment == plan["environment"]]
    ours = {entry.body["id"] for entry in own if entry.kind == actions.OPENED}
    earlier = _earlier(entries, plan["environment"], own[-1].seq)
    last = max(entries, key=lambda entry: entry.seq)
    return Card(
        run=run,
        record=made,
        mode=plan["mode"],
        charter=plan["charter"],
        targets=tuple(_target(each, plan, made, manual=manual, earlier=earlier) for each in plan["targets"]),
        checks=tuple(sorted(made["checks"], key=_failed_first)),
        manual=manual,
        sign_offs=tuple(entry.body for entry in own if entry.kind == "sign_off"),
        actions=tuple(each for each in known if each.id in ours),
        older_actions=tuple(each for each in known if each.id not in ours and each.is_open),
        simulated=_simulated(made),
        as_of=datetime.fromisoformat(last.recorded_at),
        last_seq=last.seq,
        last_hash=last.hash,
        recorded=recorded,
    )


def _needed(entry: Entry) -> bool:
    return entry.kind != "record" or entry.body["operation"] in (OPERATION, BACKUP)


def moment(text: Any) -> datetime | None:
    """A time of a measure, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _target(planned: Row, plan: Row, made: Row, *, manual: Sequence[Row], earlier: Sequence[Row]) -> TargetCard:
    name = planned["name"]
    goal = plan["charter"]["objectives"][name]
    drills = [each for each in earlier if each["operation"] == OPERATION and each["run_id"] != plan["run_id"]]
    backups = [each for each in earlier if each["operation"] == BACKUP]
    now = moment(made["ended"]) or datetime.now(UTC)
    return TargetCard(
        name=name,
        owner=planned.get("owner", ""),
        status=next(each for each in STATUSES if name in made["targets"][each]),
        strategy=planned["strategy"],
        source=planned["from"],
        destination=planned["to"],
        rto_seconds=goal["rto_seconds"],
        rpo_seconds=goal["rpo_seconds"],
        steps=tuple(_step(each) for each in made["steps"] if each["target"] == name),
        measures=made["measures"].get(name, {}),
        readiness=tuple(_readiness(name, plan, made)),
        manual=tuple(each for each in manual if each["target"] in (name, "")),
        history=tuple(each for each in trend.points([*drills, made]) if each.target == name),
        forecast=trend.forecast(name, trend.samples(backups, name), rto_seconds=goal["rto_seconds"], now=now),
    )


def _earlier(entries: Sequence[Entry], environment: str, before: int) -> list[Row]:
    """Records of this environment's runs that had ended before this one had."""
    return [
        entry.body
        for entry in entries
        if entry.kind == "record" and entry.seq < before and entry.body["environment"] == environment
    ]


def _failed_first(check: Row) -> tuple[Any, ...]:
    return check["passed"], SEVERITIES.index(check["severity"]), check["target"], check["suite"]


def _step(tried: Row) -> Step:
    started = moment(tried["started"])
    assert started is not None  # noqa: S101 - every entry has it
    return Step(
        name=tried["step"],
        attempt=tried["attempt"],
        number=tried["try"],
        started=started,
        ended=moment(tried["ended"]),
        outcome=tried["outcome"],
        measures=tried["measures"],
        error=tried["error"]["happened"] if tried["error"] else "",
        left=tried["left"],
    )


def _readiness(name: str, plan: Row, made: Row) -> Sequence[Row]:
    """As seen when the disaster was declared; before that, when the plan was made."""
    declared: Sequence[Row] | None = made["measures"].get(name, {}).get("declare", {}).get("readiness")
    planned: Sequence[Row] = plan["impact"].get(name, {}).get("readiness", [])
    return planned if declared is None else declared


def _manual(own: Sequence[Entry]) -> tuple[Row, ...]:
    """The newest of each manual step: when somebody was asked, and what became of it."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in own:
        if entry.kind == "manual_step":
            key = (entry.body["target"], entry.body["name"])
            # Asking again, after a clear, begins anew; an answer goes with the question before it.
            before = newest.get(key, {}) if entry.body["result"] != "asked" else {}
            newest[key] = before | {name: value for name, value in entry.body.items() if value or name not in before}
    return tuple(sorted(newest.values(), key=lambda each: str(each["asked_at"])))


def _simulated(made: Row) -> tuple[str, ...]:
    measured = [
        f"{target}: {step}" + (f" ({measures['kind']})" if measures.get("kind") else "")
        for target, steps in made["measures"].items()
        for step, measures in steps.items()
        if measures.get("simulated") or (measures.get("route") or {}).get("simulated")
    ]
    return (*made["simulated"], *measured)

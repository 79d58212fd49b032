"""The scorecard: what a drill was, what it measured and who answers for it, on one self-contained page.

It is made from ledger entries alone, so it can be made again: the same entries give the same bytes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.inventory.model import ObjectLock
from day2.ledger.store import Entry, Ledger
from day2.operations.dr_drill import card as cards
from day2.operations.dr_drill import details, timeline, trend
from day2.operations.dr_drill.card import Card, Row, TargetCard
from day2.operations.dr_drill.timeline import Timeline
from day2.reports import page, plots
from day2.repository import kept
from day2.repository.manifest import sha256
from day2.repository.store import Store
from day2.units import duration

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = Path(__file__).with_name("scorecard.html.j2")
QUERY = Path(__file__).with_name("scorecard.sql")
KIND = "evidence"
MARKS = "✓✗ "
RPO_METHODS = {
    "last replayed commit": "at most: from the last commit the standby replayed to the declaration",
    "recovery point": "from the recovery point’s snapshot to the declaration",
}
MODES = {
    "drill": "Drill: the disaster was rehearsed",
    "live": "Live failover: the disaster was real",
    "failback": "Failback: home to the primary region",
}
VERDICTS = {
    "PASSED": "recovery is proven",
    "FAILED": "recovery is not proven",
    "PARTIAL": "proven for some targets only",
    "CANCELLED": "stopped before anything was touched",
    "DRY_RUN": "planned only; nothing was touched",
    "OVERRIDDEN": "not proven: marked successful by hand",
}


@dataclass(frozen=True)
class Objective:
    """What was promised against what was measured. `met` is none for what was not measured, or cannot be."""

    name: str
    meaning: str
    promised: str
    measured: str
    met: bool | None
    countable: bool = True

    @property
    def word(self) -> str:
        if not self.countable:
            return "cannot be counted"
        return {True: "✓ met", False: "✗ missed", None: "✗ not measured"}[self.met]

    @property
    def kind(self) -> str:
        """How it is coloured: what was not measured is as bad as what was missed."""
        return "none" if not self.countable else "good" if self.met else "bad"


def render(card: Card) -> bytes:
    """The page. Pure: the same card gives the same bytes."""
    lines = [timeline.build(each) for each in card.targets]
    views = [
        {"target": each, "objectives": list(objectives(each, card.mode)), "figures": list(_figures(line, index))}
        | {"line": line, "trend": _trend(each, index), "queries": _query(each, card)}
        for index, (each, line) in enumerate(zip(card.targets, lines, strict=True))
    ]
    failed = sum(not each["passed"] for each in card.checks)
    shown = [(each, details.not_applicable(each, card.checks)) for each in card.checks if _shown(each)]
    values = {
        "card": card,
        "record": card.record,
        "views": views,
        "mode": MODES[card.mode],
        "meaning": VERDICTS.get(card.verdict, ""),
        "kind": {"PASSED": "good", "PARTIAL": "warn", "DRY_RUN": "none", "CANCELLED": "none"}.get(card.verdict, "bad"),
        "today": card.as_of.date(),
        "failed_checks": failed,
        "checks": sorted(shown, key=lambda each: (each[0]["passed"], each[1] is not None)),
        "facts": sum(not _shown(each) for each in card.checks),
        "shell": shlex.quote,
    }
    return page.render(TEMPLATE, values)


def objectives(target: TargetCard, mode: str) -> Iterator[Objective]:
    """RTO, RPO and lost commits, promised and measured. A failback promises none of them."""
    if mode == "failback":
        return
    rto, rpo = (target.measured("verify", name) for name in ("rto_seconds", "rpo_seconds"))
    yield Objective(
        "RTO", "declaration to the first verified write from outside",
        duration(target.rto_seconds), page.span(rto), None if rto is None else rto <= target.rto_seconds,
    )  # fmt: skip
    method = target.measured("verify", "rpo_method")
    yield Objective(
        "RPO", RPO_METHODS.get(method, "from the newest commit that was kept to the newest that was acknowledged"),
        duration(target.rpo_seconds), page.span(rpo), None if rpo is None else rpo <= target.rpo_seconds,
    )  # fmt: skip
    yield _lost(target, rpo)


def _lost(target: TargetCard, rpo: float | None) -> Objective:
    lost, acknowledged, method = (target.measured("verify", name) for name in ("lost", "acknowledged", "rpo_method"))
    of = f" of {acknowledged}" if acknowledged is not None else ""
    # Lost although nothing newer was: not a lag that an RPO allows, but a hole.
    within = lost == 0 or (rpo is not None and 0 < rpo <= target.rpo_seconds)
    return Objective(
        "Lost commits",
        "acknowledged to the client, and not there after the recovery",
        "0" if target.rpo_seconds == 0 else f"0, or within {duration(target.rpo_seconds)}",
        page.NOTHING if lost is None else f"{lost}{of}",
        None if lost is None else within,
        countable=lost is not None or method in (None, "markers"),
    )


@dataclass(frozen=True)
class Published:
    """The stored page as the ledger names it, and what whoever signs it reads first."""

    artefact: dict[str, Any]
    briefing: list[str]


def publish(ledger: Ledger, *, run: str, store: Store, lock: ObjectLock | None = None) -> Published:
    """Make the page from the ledger as it is now, and keep it as evidence, locked where the repository locks.

    `upto` in the artefact is the last entry it was made from: with it, the same bytes can be made again.
    """
    card = cards.gather(cards.read(ledger, run), run)
    html = render(card)
    key = f"drills/{kept.named(card.run)}/scorecard-{sha256(html)[:12]}.html"
    artefact = kept.keep(store, key, html, lock=lock) | {"upto": card.last_seq}
    return Published(artefact, briefing(card) + [f"scorecard: {artefact['uri']} (sha256 {artefact['sha256']})"])


def stored(entries: Iterable[Entry], run: str) -> tuple[int, str] | None:
    """Up to which entry the newest stored page of a run was made, and its sha256; none if none was stored."""
    found = None
    for entry in entries:
        if entry.run == run and entry.kind == KIND:
            found = next(((each["upto"], each["sha256"]) for each in entry.body["artefacts"] if "upto" in each), found)
    return found


def briefing(card: Card) -> list[str]:
    """The page in a few lines, for a log, a terminal, and whoever is asked to sign."""
    lines = [f"{card.verdict}: {card.record['reason']}"]
    for target in card.targets:
        told = [
            f"{each.name} {each.measured} ({each.word.strip(MARKS)}, promised {each.promised})"
            for each in objectives(target, card.mode)
        ]
        lines.append(f"{target.name}: {target.strategy}: " + ("; ".join(told) or target.status))
    failed = [each for each in card.checks if not each["passed"]]
    lines.append(f"checks: {len(card.checks) - len(failed)} passed, {len(failed)} failed")
    lines += [f"FAILED {each['target']}: {each['name']}: observed {page.word(each['observed'])}" for each in failed]
    lines += [str(each) for each in card.actions if each.is_open]
    lines += [f"simulated, not proven: {each}" for each in card.simulated]
    return lines


def _shown(check: Row) -> bool:
    """All but those that say only that a fact was measured; they are counted."""
    return not (check["passed"] and check["id"].startswith(details.MEASURED))


def _figures(line: Timeline | None, index: int) -> Iterator[tuple[str, Markup]]:
    if line is None:
        return
    recovery = timeline.failover(line)
    for number, (title, part) in enumerate((("Recovery", recovery), ("The whole of it", line))):
        if part is not None:
            says = f"{line.target}: {title}: " + ", ".join(
                f"{bar.lane} from {bar.start:.1f} s for {bar.seconds:.1f} s" for bar in part.bars
            )
            yield title, timeline.draw(part, name=f"t{index}f{number}", says=says)


def _trend(target: TargetCard, index: int) -> Markup | None:
    """Recovery times over the drills, oldest first; none where there is only this one."""
    having = [each for each in target.history if each.rto_seconds is not None]
    if len(having) < 2:
        return None
    return trend_plot(having, target.rto_seconds, name=f"trend{index}")


def trend_plot(having: list[trend.Point], rto_seconds: float, *, name: str) -> Markup:
    """One point a drill: its recovery time, against the objective."""
    times = [each.rto_seconds or 0.0 for each in having]
    with plots.drawing(10.2, 1.9) as (figure, axes):
        axes.plot(range(len(having)), times, color=plots.GREY, linewidth=1, zorder=1)
        for at, each in enumerate(having):
            passed = each.verdict == "PASSED"
            colour = plots.GREEN if passed else plots.RED
            axes.scatter(at, times[at], color=colour, marker="o" if passed else "X", s=42, zorder=2)
            axes.annotate(
                duration(times[at]),
                (at, times[at]),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
        axes.axhline(rto_seconds, color=plots.RED, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(
            len(having) - 0.55,
            rto_seconds,
            f"RTO {duration(rto_seconds)}",
            color=plots.RED,
            fontsize=7.5,
            va="bottom",
            ha="right",
        )
        axes.set_xticks(range(len(having)), [f"{each.when:%Y-%m-%d}\n{each.verdict.lower()}" for each in having])
        axes.set_xlim(-0.5, len(having) - 0.5)
        axes.set_ylim(0, max(*times, rto_seconds) * 1.25)
        axes.set_ylabel("recovery, s")
        says = "; ".join(
            f"{each.when:%Y-%m-%d} {duration(at)} {each.verdict}" for each, at in zip(having, times, strict=True)
        )
        return plots.svg(figure, name=name, says=says)


def _query(target: TargetCard, card: Card) -> str:
    """How somebody else computes the numbers again, from the probe's own samples."""
    declared = target.t0.isoformat() if target.t0 else ""
    # The road to a server may differ, so its address says less than its timeline and when it started.
    server = "%" + str(target.measured("verify", "server") or "").partition(", ")[2]
    known = {"run": card.run, "target": target.name, "declared": declared, "server": server}
    return QUERY.read_text().format(**{name: _literal(each) for name, each in known.items()}).strip()


def _literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def facts(card: Card) -> Mapping[str, Any]:
    """The card in a few values, for a list or a program."""
    return {
        "run": card.run,
        "verdict": card.verdict,
        "reason": card.record["reason"],
        "environment": card.environment,
        "mode": card.mode,
        "targets": {
            each.name: {"status": each.status, "strategy": each.strategy}
            | {name: each.measured("verify", name) for name in ("rto_seconds", "rpo_seconds", "lost", "acknowledged")}
            | {"rto_objective_seconds": each.rto_seconds, "rpo_objective_seconds": each.rpo_seconds}
            for each in card.targets
        },
        "checks": {"passed": sum(each["passed"] for each in card.checks), "all": len(card.checks)},
        "open_actions": [each.id for each in card.actions if each.is_open],
        "simulated": list(card.simulated),
        "signed": [f"{each['decision']} by {each['who']}" for each in card.sign_offs],
    }

"""The report of a run of tuning: one page that needs nothing else, printable, with plots. Pure.

The same values give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from day2.operations.performance_tuning import figures
from day2.operations.performance_tuning.model import NotPossible, Outcome, Recommendation, Risk
from day2.operations.performance_tuning.story import Kept, Story, Tried, named, total
from day2.reports import page
from day2.units import figure

TEMPLATE = Path(__file__).with_name("report.html.j2")
LISTED = 40
YEAR = timedelta(days=366)
OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "kept": ("good", "✓ kept"),
    "reverted": ("warn", "↺ reverted"),
    "unmeasured": ("none", "? not measured, undone"),
    "failed": ("bad", "✗ failed"),
    "interrupted": ("bad", "put in order"),
    "withdrawn": ("none", "not tried here"),
    "deferred": ("none", "put off"),
    "advised": ("none", "advised"),
}
RISKS: dict[Risk, tuple[str, str]] = {
    "none": ("none", "for people"),
    "safe": ("good", "safe"),
    "moderate": ("warn", "moderate risk"),
    "high": ("bad", "high risk"),
}
MODES = {
    "advise": "the policy only advises: nothing was changed",
    "apply_safe": "the policy lets safe changes be made",
    "apply_approved": "the policy lets approved changes be made",
}
# What was measured, first what stayed; then what was not even tried.
ORDER: tuple[Outcome, ...] = ("kept", "reverted", "unmeasured", "failed", "interrupted", "withdrawn", "deferred",
                                "advised")  # fmt: skip
TRIED: tuple[Outcome, ...] = ("kept", "reverted", "unmeasured", "failed")


@dataclass(frozen=True)
class Group:
    """The findings of one kind."""

    kind: str
    found: tuple[tuple[str, Recommendation], ...]

    @property
    def title(self) -> str:
        words = self.kind.replace("_", " ")
        return words[0].upper() + words[1:]


def render(story: Story) -> bytes:
    """The page."""
    tried = sorted(story.tried, key=lambda each: (ORDER.index(each.outcome), -each.saved))
    earlier = past_year(story.earlier, story.at)
    kept = (*earlier, *story.kept)
    left = story.left
    values = {
        "story": story,
        "verdict": verdict(story),
        "headline": headline(story),
        "cards": [(each, figures.before_and_after(each, number)) for number, each in enumerate(tried)],
        "effects": figures.effects(tried, minimum=story.minimum_gain),
        "year": figures.year(kept),
        "kept": sorted(kept, key=lambda each: each.at, reverse=True)[:LISTED],
        "kept_count": len(kept),
        "saved": total(story.kept),
        "saved_in_year": total(kept),
        "first": min((each.at for each in kept), default=None),
        "groups": grouped(left)[:LISTED],
        "left": len(left),
        "counts": Counter(each.outcome for each in story.tried),
        "not_possible": not_possible(story),
        "outcomes": OUTCOMES,
        "risks": RISKS,
        "modes": MODES,
        "cost": figures.cost,
        "decided": decided,
        "sentence": sentence,
        "named": named,
        "figure": figure,
        "several": len(story.advice) > 1,
        "listed": LISTED,
    }
    return page.render(TEMPLATE, values)


def verdict(story: Story) -> dict[str, str]:
    """The one word at the top."""
    counts = Counter(each.outcome for each in story.tried)
    if counts["failed"]:
        return {"kind": "bad", "word": "FAILED", "says": "a change could not be made or undone cleanly"}
    if counts["kept"]:
        word = {"kind": "good", "word": "FASTER", "says": f"{_changes(counts['kept'])} kept, each measured"}
        return word if not counts["unmeasured"] else word | {"kind": "warn", "word": "PARTIAL"}
    if counts["unmeasured"]:
        return {"kind": "warn", "word": "PARTIAL", "says": "what was tried could not be measured"}
    if counts["reverted"]:
        return {"kind": "none", "word": "AS BEFORE", "says": "nothing that was tried helped"}
    found = sum(len(each.recommendations) for each in story.advice)
    if found:
        return {"kind": "none", "word": "ADVISED", "says": "nothing was tried"}
    if any(each.not_possible for each in story.advice):
        return {"kind": "warn", "word": "NOT SEEN", "says": "not everything could be looked at"}
    return {"kind": "good", "word": "WELL KEPT", "says": "nothing was found"}


def headline(story: Story) -> str:
    """What the run did, in a sentence."""
    counts = Counter(each.outcome for each in story.tried)
    attempts = sum(counts[each] for each in TRIED)
    if attempts:
        return f"{counts['kept']} of {_changes(attempts)} tried {'was' if counts['kept'] == 1 else 'were'} kept"
    found = sum(len(each.recommendations) for each in story.advice)
    return f"{found} finding{'' if found == 1 else 's'}, and nothing was changed" if found else "Nothing to improve"


def grouped(found: Sequence[tuple[str, Recommendation]]) -> list[Group]:
    """Findings by kind; the kind with the most pressing one first."""
    by_kind = sorted(found, key=lambda each: (each[1].kind, -each[1].score))
    groups = [Group(kind, tuple(each)) for kind, each in groupby(by_kind, key=lambda each: each[1].kind)]
    return sorted(groups, key=lambda each: (-each.found[0][1].score, each.kind))


def past_year(earlier: Sequence[Kept], now: datetime) -> tuple[Kept, ...]:
    """What was kept within a year before this run."""
    return tuple(each for each in earlier if timedelta(0) <= now - datetime.fromisoformat(each.at) <= YEAR)


def not_possible(story: Story) -> list[tuple[NotPossible, list[str]]]:
    """What could not be looked at, and in which databases."""
    where: dict[NotPossible, list[str]] = {}
    for advice in story.advice:
        for each in advice.not_possible:
            where.setdefault(each, []).append(advice.database)
    return list(where.items())


def decided(tried: Tried) -> tuple[str, list[str]]:
    """The decision, and apart from it what got worse with the change: that is often long."""
    worse = [each.says for each in tried.guards if each.worse]
    head, _, rest = tried.decision.partition(": ")
    return (f"{head}:" if rest and rest == "; ".join(worse) else tried.decision), worse


def sentence(text: str) -> str:
    """The same with a capital letter, unless it begins with a name."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _changes(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"

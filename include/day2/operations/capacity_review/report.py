"""The review as one page that needs nothing else: plots, dates, and how good the last forecast was. Pure.

The same values give the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.operations.capacity_review import figures
from day2.operations.capacity_review.review import PRESSING, Request, Review, Row, requests
from day2.reports import page

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = Path(__file__).with_name("report.html.j2")
# As many plots as people look at; the rest is in the tables and in the CSV file.
PLOTTED, DATED, MAPPED, LISTED, NAMED, BRIEFED = 12, 24, 40, 60, 6, 8
KINDS = {"full": "bad", "act": "bad", "plan": "warn", "unknown": "none", "enough": "good"}
FATES = {"done": "good", "open": "none", "rejected": "none", "expired": "none", "overdue": "bad"}
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DIRECTIONS = {"up": "larger", "down": "smaller", "keep": "as it is", "unknown": "not known"}


def render(review: Review) -> bytes:
    """The page."""
    pressing = review.standing(*PRESSING)
    values = {
        "review": review,
        "verdict": verdict(review),
        "headline": headline(review),
        "counts": review.counts,
        "soonest": min((row for row in pressing if row.soonest), key=lambda row: row.soonest, default=None),
        "earlier": [(each, _fate(each, review)) for each in review.earlier],
        "pressing": pressing,
        "plots": [(row, _fan(row, number, review)) for number, row in enumerate(pressing[:PLOTTED])],
        "unknown": review.standing("unknown"),
        "figures": _figures(review, pressing),
        "listed": LISTED,
        "few": NAMED,
        "plotted": PLOTTED,
        "kinds": KINDS,
        "fates": FATES,
        "directions": DIRECTIONS,
        "words": figures.WORDS,
        "method": figures.method,
        "sentence": sentence,
        "together": together,
        "asked": requests(review),
        "shades": legend(),
        "saving": -sum(each.proposal.cost_change for each in review.sized),
    }
    return page.render(TEMPLATE, values)


def briefing(review: Review) -> list[str]:
    """What somebody reads before signing: the verdict, the most pressing, what became of the last requests."""
    said = verdict(review)
    lines = [f"{review.environment}, {review.at.date()}: {said['word']}: {said['says']}", headline(review)]
    pressing = review.standing(*PRESSING)
    lines += [f"{row.subject.name}: {row.why}" for row in pressing[:BRIEFED]]
    if len(pressing) > BRIEFED:
        lines.append(f"{len(pressing) - BRIEFED} more need a decision: see the page")
    counted = Counter(_fate(each, review) for each in review.earlier)
    fates = ", ".join(f"{count} {fate}" for fate, count in sorted(counted.items()))
    lines.append(f"of the last review's requests: {fates or 'there were none'}")
    return [*lines, review.published.sentence]


def verdict(review: Review) -> dict[str, str]:
    """The one word at the top: the worst that any resource needs."""
    counts = review.counts
    if counts["full"] or counts["act"]:
        return {"kind": "bad", "word": "ACT", "says": _resources(counts["full"] + counts["act"], "cannot wait")}
    if counts["plan"]:
        return {"kind": "warn", "word": "PLAN", "says": _resources(counts["plan"], "need more in time")}
    if counts["unknown"] or not review.rows:
        return {"kind": "warn", "word": "NOT KNOWN", "says": _resources(counts["unknown"], "without an answer")}
    return {"kind": "good", "word": "ENOUGH", "says": f"all {_resources(counts['enough'], 'have room')}"}


def headline(review: Review) -> str:
    """The review in a sentence."""
    counts = review.counts
    enough = f"{counts['enough']} of {len(review.rows)} resources have room"
    if not counts["full"]:
        return enough
    return f"{enough}, {counts['full']} {'is' if counts['full'] == 1 else 'are'} full"


def sentence(row: Row) -> Markup:
    """Why a resource stands as it does, and what there is to do by when. Its dates do not break over lines."""
    from markupsafe import Markup, escape

    said = f"{row.why[:1].upper()}{row.why[1:]}."
    act_by = row.judgement.act_by if row.judgement else None
    if act_by and row.standing != "full":
        late = act_by <= row.forecast.start
        said += f" More should have been ordered by {act_by}." if late else f" Order more by {act_by}."
    return Markup(DATE.sub(r'<span class="keep">\g<0></span>', str(escape(together(said)))))  # noqa: S704 - escaped


def together(text: str) -> str:
    """A number and its percent sign stay in one line."""
    return text.replace(" %", "\u00a0%")


def legend() -> list[tuple[str, str]]:
    """The shades of the heat map, and what they stand for."""
    lows = [0.0, *(top for top, _ in figures.SHADES)]
    named = [
        (shade, f"{100 * low:.0f} to {100 * top:.0f} %")
        for low, (top, shade) in zip(lows, figures.SHADES, strict=False)
    ]
    return [*named, (figures.FULL_SHADE, "full")]


def _figures(review: Review, pressing: list[Row]) -> dict[str, Any]:
    dated = sorted((row for row in pressing if row.judgement and row.judgement.full.early), key=lambda row: row.soonest)
    targets = list(dict.fromkeys(row.subject.target for row in review.rows))[:MAPPED]
    mapped = [row for row in review.rows if row.subject.target in targets]
    return {
        "calendar": figures.calendar(dated[:DATED], start=review.at.date()) if dated else None,
        "heat": figures.heat(mapped) if mapped else None,
        "ratios": figures.ratios(review) if review.comparisons else None,
    }


def _fan(row: Row, number: int, review: Review) -> Any:
    return figures.fan(row, name=f"fan-{number}", keep_free=review.policies[row.subject.tier].share)


def _fate(each: Request, review: Review) -> str:
    return "overdue" if each.is_overdue(review.at.date()) else each.fate


def _resources(count: int, what: str) -> str:
    return f"{count} resource{'' if count == 1 else 's'} {what}"

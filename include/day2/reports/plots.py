"""Plots as SVG inside a page: matplotlib draws, the page's own font writes, the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, RULE, PAPER = "#1c2430", "#5b6675", "#d9dee5", "#ffffff"
BLUE, GREEN, RED, AMBER, GREY = "#2f6db3", "#1a7f4b", "#b3261e", "#b26a00", "#b8c0cb"
STYLE: dict[Any, Any] = {
    # Text stays text: it can be searched and copied, and the page's font writes it.
    "svg.fonttype": "none",
    # Ids are made from this and the content, not by chance.
    "svg.hashsalt": "day2",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "hatch.linewidth": 0.7,
    "path.simplify": False,
    # A `$` in a name is a dollar, not mathematics.
    "text.parse_math": False,
}


@contextmanager
def _our_style() -> Iterator[None]:
    """Ours alone: what a matplotlibrc on this machine says does not matter."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty plot of so many inches, in our style."""
    with drawings(width, height, across=1) as (figure, (axes,)):
        yield figure, axes


@contextmanager
def drawings(width: float, height: float, *, across: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """Empty plots side by side."""
    from matplotlib.figure import Figure

    with _our_style():
        figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
        panels = [figure.add_subplot(1, across, place + 1) for place in range(across)]
        for axes in panels:
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
        yield figure, panels


def svg(figure: Figure, *, name: str, says: str) -> Markup:
    """The figure for a page. `name` sets its ids apart from other figures'; `says` describes it to who cannot see."""
    from markupsafe import Markup, escape

    file = io.StringIO()
    with _our_style():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    text = re.sub(r'((?:xlink:)?href="#| id="|url\(#)', rf"\g<1>{name}-", text)
    opening = f'<svg class="plot" role="img" aria-label="{escape(says)}"'
    return Markup(text.replace("<svg", opening, 1))  # noqa: S704 - matplotlib escapes what is written into it

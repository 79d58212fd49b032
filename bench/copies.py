"""Parts 1 to 3: the act step and the restore against the bare tools, and the memory they need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from bench import machine
from bench.measure import Comparison, Work, compare, measured
from bench.restores import BareRestore, OurRestore, put
from bench.servers import Bench
from bench.transfers import Bare, Engine, Ours, Where, WholeAct, remove
from lab.say import say, timed

ACT_GOAL, RESTORE_GOAL = 1.05, 1.10
ENGINES: tuple[Engine, ...] = ("physical", "logical")


@dataclass(frozen=True)
class Chosen:
    """How large, how often, and which comparisons: those with `only` in their name."""

    scale: float
    repeat: int
    only: str = ""


def acts(bench: Bench, chosen: Chosen) -> Iterator[Comparison]:
    """Each engine to each destination, with and without encryption."""
    kinds: list[tuple[Where, bool]] = [("folder", False)]
    if shutil.which("age"):
        kinds += [("folder", True), ("s3", True)]
    else:
        say("no `age` program: encrypted transfers are not compared", style="yellow")
    for engine, (where, encrypt) in product(ENGINES, kinds):
        name = f"{engine} backup to {_place(where)}" + (", age" if encrypt else "")
        if chosen.only not in name:
            continue
        with timed(name):
            ours, bare = (kind(bench, engine, where, encrypt) for kind in (Ours, Bare))
            compared = compare(name, (ours, bare), repeat=chosen.repeat, goal=ACT_GOAL, servers=bench.everything)
            _same_amount(compared)
            yield compared


def whole_acts(bench: Bench, chosen: Chosen) -> Iterator[Comparison]:
    """`back_up` with its evidence (fingerprints) against its own transfer: what proof costs."""
    for engine in ENGINES:
        name = f"{engine} back_up with fingerprints"
        if chosen.only not in name:
            continue
        with timed(name):
            load = machine.load()
            whole: list[Work] = [kind(bench, engine, "folder", encrypt=True) for kind in (WholeAct, Ours)]
            rounds = [[measured(each, servers=bench.everything) for each in whole] for _ in range(chosen.repeat)]
            ours, transfer = zip(*rounds, strict=True)
            yield Comparison(name, "job.store alone", None, ours=ours, bare=transfer, load=(load, machine.load()))


def restores(bench: Bench, chosen: Chosen) -> Iterator[Comparison]:
    """Each engine's object, encrypted, from the folder and from S3."""
    if not shutil.which("age"):
        say("no `age` program: restores are not compared", style="yellow")
        return
    cases: list[tuple[Engine, Where]] = [("physical", "folder"), ("logical", "folder")]
    if shutil.which("aws"):
        cases.append(("physical", "s3"))  # of a dump, pg_restore's own work hides where the stream came from
    for engine, where in cases:
        name = f"{engine} restore from {_place(where)}, age"
        if chosen.only not in name:
            continue
        with timed(name):
            stored = put(bench, engine, where)
            sides = (OurRestore(stored), BareRestore(stored))
            yield compare(name, sides, repeat=chosen.repeat, goal=RESTORE_GOAL, servers=bench.everything)
            remove(bench, where, stored.prefix)


def _place(where: Where) -> str:
    return {"folder": "a folder", "s3": "S3"}[where]


def _same_amount(compared: Comparison) -> None:
    """Sides that store different amounts did different work: that comparison would be a lie."""
    ours, bare = compared.ours[-1].bytes, compared.bare[-1].bytes
    if abs(ours - bare) > 0.02 * bare:
        raise RuntimeError(f"{compared.name}: we stored {ours} bytes and the bare tool {bare}")

"""Where a database's content comes from: the stored dump itself, or a scratch server with the copy in it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from day2.operations import materialize
from day2.operations.database_restore import proof
from day2.operations.database_restore.archive import Archive
from day2.operations.database_restore.order import Order
from day2.postgres import dump, fingerprint, inspection
from day2.postgres.binaries import Binaries, for_server
from day2.postgres.content import DatabaseContent
from day2.postgres.programs import running
from day2.postgres.scratch import Scratch
from day2.readable import Readable

log = logging.getLogger("day2")
OTHER_VERSION = "definitions compared object by object, not as text: the point is of PostgreSQL {}"


@dataclass(frozen=True)
class Supply:
    """A dump to load, the programs that fit it and the target, and what the result must equal.

    `contents` is an archive with at least the definitions; `whole` has the data too. `objects` is what
    the result must hold where the versions write definitions differently.
    """

    binaries: Binaries
    expected: DatabaseContent
    contents: Archive
    whole: Archive
    roles: Callable[[], bytes]
    objects: frozenset[str] | None = None
    notes: tuple[str, ...] = ()


def needs_scratch(order: Order, target_major: int) -> bool:
    """Whether the copy must run somewhere first: a physical one; and a dump for a newer PostgreSQL.

    It is compared there with the manifest, as the version it came from writes it; then with the target.
    """
    described = order.origin.described
    return described.engine == "physical" or described.source.version_num // 10_000 != target_major


def programs(order: Order, target_major: int) -> Binaries:
    """Client programs for a target: of its version, or the newer one the dump was made with."""
    return for_server(max(target_major, order.origin.described.source.version_num // 10_000))


@contextmanager
def supply(order: Order, target_major: int, *, measures: dict[str, Any]) -> Iterator[Supply]:
    """The point's database, ready to be loaded into a server of that version."""
    if needs_scratch(order, target_major):
        with _from_scratch(order, target_major, measures) as found:
            yield found
    else:
        yield _stored(order, target_major)


def _stored(order: Order, target_major: int) -> Supply:
    origin = order.origin

    def archive() -> AbstractContextManager[Readable]:
        return origin.plain("dump")

    def roles() -> bytes:
        with origin.plain("roles") as source:
            return materialize.read_all(source)

    return Supply(programs(order, target_major), order.content, archive, archive, roles)


@contextmanager
def _from_scratch(order: Order, target_major: int, measures: dict[str, Any]) -> Iterator[Supply]:
    """The copy runs, is compared with the manifest, and is then what the target must equal."""
    described = order.origin.described
    binaries = programs(order, target_major)
    with materialize.running(order.origin, parent=order.scratch, run=order.run) as restored:
        made, name = restored.made, described.dbname
        log.info("%s: comparing the copy in the scratch server with the manifest", described.database)
        first: dict[str, Any] = {}
        proof.compare([(order.content, inspection.read(made.binaries, made.server(name)))], measures=first)
        proof.require_equal(first, described.database, left="nothing was restored to the target")
        definitions = _definitions(binaries, made, name)
        same = described.source.version_num // 10_000 == target_major
        expected = inspection.read(binaries, made.server(name)).model_copy(update={"schema_pinned": same})
        yield Supply(
            binaries=binaries,
            expected=expected,
            contents=lambda: nullcontext(io.BytesIO(definitions)),
            whole=lambda: _dumped(binaries, made, name),
            roles=lambda: dump.roles(made.binaries, made.server(), passwords=True),
            objects=None if same else proof.objects(made.server(name)),
            notes=restored.notes + (() if same else (OTHER_VERSION.format(described.source.version),)),
        )


def _definitions(binaries: Binaries, made: Scratch, name: str) -> bytes:
    server = made.server(name)
    command = [binaries["pg_dump"], "--format=custom", "--schema-only", "--no-password", dump.dbname(server)]
    with server.environment() as env, running(command, env=env) as program:
        return materialize.read_all(program)


@contextmanager
def _dumped(binaries: Binaries, made: Scratch, name: str) -> Iterator[Readable]:
    server = made.server(name)
    with fingerprint.snapshot(server) as (_, snapshot), dump.dumping(binaries, server, snapshot) as program:
        yield program

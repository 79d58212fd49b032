"""A physical point as a data folder of its own: unpacked, started once, compared, stopped, ready to start."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from day2.errors import StepFailed
from day2.operations import materialize
from day2.operations.database_restore import folder as place
from day2.operations.database_restore import proof
from day2.operations.database_restore.folder import Folder
from day2.operations.database_restore.order import NOT_APPLICABLE, Order
from day2.postgres import basebackup, inspection, restore
from day2.postgres.binaries import for_server, unprivileged
from day2.postgres.inspection import TableComparison

log = logging.getLogger("day2")
# sizeof(sockaddr_un.sun_path) on Linux, with its closing zero byte.
LONGEST_SOCKET = 107


def into_folder(order: Order, path: Path, *, measures: dict[str, Any]) -> tuple[Folder, list[TableComparison]]:
    """Unpack a physical point into an empty folder, and compare what starts from it with the manifest.

    Returns the folder and the tables. On failure the folder is empty again; differences are measures.
    """
    described = order.origin.described
    if described.engine != "physical":
        raise StepFailed(
            "is a dump of one database, not a copy of a server",
            target=order.origin.point.id,
            left="nothing was touched",
            next_step="restore it with --to-server",
        )
    binaries = for_server(described.source.version_num // 10_000, need_server=True)
    folder = Folder(path.absolute(), binaries, unprivileged(), described.source.superuser)
    measures |= {"old_data_kept": NOT_APPLICABLE, "safety_point_verified": NOT_APPLICABLE}
    _require_usable(folder.path)
    begun = time.monotonic()
    with _emptied_on_failure(folder):
        with order.origin.plain("base") as source:
            restore.unpack(source, folder.path, run_as=folder.run_as)
        settings, notes = materialize.settings(described, binaries)
        measures["notes"] = notes
        place.configure(folder, settings)
        with place.running(folder):
            measures |= {"restore_finished": True, "seconds": round(time.monotonic() - begun, 3)}
            tables = _examine(order, folder, measures=measures)
    return folder, tables


def require_empty(path: Path) -> None:
    """Raises StepFailed unless the folder is empty or does not exist: a restore never overwrites."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StepFailed(
            f"{path} is not an empty folder, and a restore never overwrites",
            left="nothing was touched",
            next_step="name a folder that does not exist yet, or empty it yourself",
            runbook="The name is taken",
        )


@contextmanager
def _emptied_on_failure(folder: Folder) -> Iterator[None]:
    """The folder, owned by the server's user; empty again, and gone if it was not there, when the block fails."""
    require_empty(folder.path)
    made_here = not folder.path.exists()
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        folder.path.chmod(0o700)
        if "user" in folder.run_as:
            os.chown(folder.path, folder.run_as["user"], folder.run_as["group"])
        _require_reachable(folder)
        yield
    except BaseException:
        for each in folder.path.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        if made_here:
            folder.path.rmdir()
        raise


def _require_usable(path: Path) -> None:
    """A server must be able to live under that path, with its socket."""
    happened = ""
    if found := place.FORBIDDEN & set(str(path)):
        happened = f"PostgreSQL's own programs cannot work in {path}: it contains {' '.join(map(repr, sorted(found)))}"
    elif len(os.fsencode(path / f".s.PGSQL.{place.PORT}")) > LONGEST_SOCKET:
        happened = f"{path} is too long a path for a server's socket"
    if happened:
        raise StepFailed(happened, left="nothing was restored", next_step="name a folder with a simple, short path")


def _require_reachable(folder: Folder) -> None:
    done = subprocess.run(["/usr/bin/test", "-w", folder.path], cwd="/", check=False, **folder.run_as)
    if done.returncode:
        raise StepFailed(
            f"the user {place.user_name(folder.run_as)} cannot get to {folder.path}",
            left="nothing was restored",
            next_step="choose a folder whose parents that user may pass through, such as /var/lib/postgresql/restored",
        )


def _differences(order: Order, folder: Folder) -> list[str]:
    """What a cluster has besides the content of its databases."""
    described = order.origin.described
    missing = inspection.roles_missing(folder.server(described.dbname), described.roles)
    found = [f"role {each} is missing" for each in missing]
    if described.watermark:
        with folder.server(described.dbname).connect() as connection:
            if not basebackup.has_watermark(connection, described.watermark):
                found.append("the watermark row is missing: the copy ends too early")
    return found


def _examine(order: Order, folder: Folder, *, measures: dict[str, Any]) -> list[TableComparison]:
    described = order.origin.described
    read = [(each, inspection.read(folder.binaries, folder.server(each.name))) for each in described.databases]
    tables = proof.compare(read, measures=measures)
    more = _differences(order, folder)
    for line in more:
        log.error("%s: %s", folder.path, line)
    measures["differences"] += more
    measures["differences_total"] += len(more)
    proof.require_writable(folder.server(described.dbname), left="the folder was emptied again")
    measures["server_writable"] = True
    return tables

"""pg_rewind of an old primary, and the proof that it did something.

Right after a promotion pg_rewind answers 0 with "no rewind required" although both servers had diverged:
it compares what the last checkpoints say. So the source is checkpointed and asked for its timeline first,
and afterwards the target's control file must say that it was rewound.
"""

from __future__ import annotations

import logging

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import aside, configured, control, controldata, lineage, observe, sessions, settings_kept
from day2.operations.dr_drill.configured import Settings
from day2.operations.dr_drill.controldata import ENGLISH, Control
from day2.operations.dr_drill.lineage import Lineage
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
# Its data directory may be half rewound for as long as this mark is there.
MARK = "rewinding"
RESTORE = "restore_command"
# What it must know of them.
SETTINGS = (configured.SOURCE, RESTORE)
WRITTEN_TIMELINE = "select timeline_id from pg_catalog.pg_control_checkpoint()"


def settled(source: Node) -> Lineage:
    """Checkpoint a new primary, so that its control file shows the timeline it writes. Returns its lineage."""
    with sessions.session(source.server) as connection:
        connection.execute("checkpoint")
    found = lineage.read(source)
    shown = observe.ask(source.server, WRITTEN_TIMELINE)["timeline_id"]
    if shown != found.timeline:
        raise StepFailed(
            f"its control file shows timeline {shown} while it writes timeline {found.timeline}: "
            "pg_rewind would compare the wrong ones",
            target=source.name,
            left="nothing was changed by this step",
            next_step=f"run CHECKPOINT on {source.name} and the step again",
            runbook="pg_rewind did not work",
        )
    return found


def rewind(node: Node, source: Lineage, *, settings: Settings, seconds: float) -> None:
    """Make a stopped server a standby of the source by undoing what it has of its own. `settings` are its own.

    Raises StepFailed when pg_rewind fails or did nothing; the data directory is unusable then.
    """
    data = control.data(node)
    before = controldata.read(node)
    settings_kept.keep(node)
    aside.mark(node, MARK)
    if not before.state.startswith("shut down"):
        # A crashed server is recovered by pg_rewind in single-user mode, which refuses with this file there.
        require(node.shell, "rm", "--force", f"{data}/{control.SIGNAL}")
    with configured.source(node, settings, dbname="postgres", application_name="day2_rewind") as conninfo:
        done = aside.alone(node, *_command(data, settings, conninfo), seconds=seconds)
    if done.code:
        raise _failed(node, f"pg_rewind answered {done.code}: {done.words or 'it said nothing'}")
    if why := not_rewound(controldata.read(node), source):
        raise _failed(node, f"pg_rewind answered 0 and {why}: {done.words}")
    settings_kept.put_back(node, into=data)
    require(node.shell, "touch", f"{data}/{control.SIGNAL}")
    aside.forget(node, MARK)
    log.info("%s: rewound to where timeline %d began", node.name, source.timeline)


def not_rewound(after: Control, source: Lineage) -> str:
    """Why a control file is not that of a server that was rewound; empty if it is. Pure."""
    if after.state != "in archive recovery":
        return f"did nothing (the control file still says {after.state!r})"
    if after.recovered_timeline != source.timeline:
        return f"it recovers on timeline {after.recovered_timeline}, not {source.timeline}"
    return ""


def _command(data: str, settings: Settings, conninfo: str) -> tuple[str, ...]:
    command = [*ENGLISH, "pg_rewind", f"--target-pgdata={data}", f"--source-server={conninfo}"]
    if settings.config_file:
        command.append(f"--config-file={settings.config_file}")
    if settings.values[RESTORE]:
        # WAL since the fork may have left pg_wal: "could not find previous WAL record".
        command.append("--restore-target-wal")
    return tuple(command)


def _failed(node: Node, happened: str) -> StepFailed:
    return StepFailed(
        happened,
        target=node.name,
        left=f"the data directory of {node.name} may be half rewound and must not be started as it is",
        next_step=f"re-clone {node.name} with pg_basebackup",
        runbook="pg_rewind did not work",
    )

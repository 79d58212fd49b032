"""One host of a patch run: out of service, patched, restarted, proven and back; or rolled back.

Every step can be done again: a task that takes over from one that was killed finds what it did, and goes on.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from day2.errors import StepFailed
from day2.hosts import before as remembered
from day2.hosts import drain, effect, health, install, job, reboot, rollback, saved, services
from day2.hosts import scan as scanning
from day2.hosts.before import Before
from day2.hosts.drain import Hook
from day2.hosts.health import Probe
from day2.hosts.install import Prepared
from day2.hosts.model import PatchSet, Scan
from day2.hosts.saved import Saved
from day2.hosts.script import Host
from day2.hosts.services import Restarted
from day2.hosts.shell import Shell, Ssh
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import configured, postgresql_host
from day2.operations.security_patching.postgresql_host import Served
from day2.units import Stopwatch

log = logging.getLogger("day2")
Measures = dict[str, Any]


@dataclass(frozen=True)
class Patient:
    """A host with all that its steps need. `run` names its jobs on the host: the same run finds them again.

    `carried` are the new packages as a canary has them, with that canary: the repository may drop a frozen version.
    """

    host: Host
    policy: PatchPolicy
    frozen: PatchSet
    run: str
    hook: Hook | None = None
    probes: tuple[tuple[str, Probe], ...] = ()
    snapshot: Shell | None = None
    carried: tuple[tuple[Host, Saved], ...] = ()
    served: tuple[Served, ...] = ()

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def id(self) -> str:
        return install.job_name(self.run)


def patch(patient: Patient, measures: Measures) -> None:
    """Bring one host to the frozen set, prove it, and put it back in service. Fills in `measures` as it goes.

    Raises StepFailed or Unavailable with the state that is left; what was drained stays drained.
    """
    watch = Stopwatch(measures.setdefault("seconds", {}))
    measures |= postgresql_host.facts(len(patient.served), {}, {})
    begun = job.look(patient.host, f"{patient.id}-install").state != "none"
    seen = scanning.scan(patient.host, lists="cached")
    with watch("prepare"):
        prepared = _prepare(patient)
    # Without packages no installation tells that an earlier try began: it may have drained the host, and no more.
    before = remembered.recall(patient.host, patient.id) if begun or not prepared.part.changes else None
    resumed = before is not None
    measures |= {"installed_digest": patient.frozen.digest, "packages": len(prepared.part.changes), "resumed": resumed}
    if not resumed and not _has_work(patient, prepared, seen):
        log.info("%s: has every version of the set, and runs them", patient.name)
        measures |= _seen(seen, seen.boot_id) | {"changed": False, "reboot_expected": False}
        measures["healthy"] = _well(patient)
        _back(patient, measures)  # an earlier run may have left it drained
        told = postgresql_host.untouched(patient.served, patient.policy.postgresql, versions=seen.versions())
        _extensions(patient, told, measures)
        return
    before = before or _begin(patient, seen, measures)
    earlier = postgresql_host.recall(patient.host, patient.served, run=patient.id)
    with watch("drain"):
        _out(patient, measures)
    with watch("install"):
        done = install.act(patient.host, prepared, run_id=patient.run, limits=configured.limits(patient.policy))
    measures |= {"changed": done.outcome == "changed", "repaired": done.repaired}
    _renew(patient, prepared, before, measures)
    with watch("databases"):
        told = _databases(patient, earlier)
    with watch("health"):
        measures["healthy"] = _well(patient)
    with watch("undrain"):
        _back(patient, measures)
    _extensions(patient, told, measures)


def roll_back(patient: Patient, measures: Measures) -> None:
    """Bring a host's earlier versions back, and the host into service if it is well then.

    A host on which nothing was installed is only put back. Raises StepFailed with what is not as it was; an ill
    host is left drained.
    """
    watch = Stopwatch(measures.setdefault("seconds", {}))
    measures |= {"rolled_back": False, "in_service": False}
    prepared = _begun(patient)
    if prepared is None:
        log.info("%s: nothing was installed on it", patient.name)
    else:
        with watch("rollback"):
            measures["rolled_back"] = _to_earlier(patient, prepared)
            _databases(patient, postgresql_host.recall(patient.host, patient.served, run=patient.id))
    with watch("health"):
        measures["healthy"] = _well(patient)
    _back(patient, measures)
    postgresql_host.forget(patient.host, patient.served, run=patient.id)
    remembered.forget(patient.host, patient.id)


def _databases(patient: Patient, earlier: postgresql_host.Measures) -> postgresql_host.Measures:
    """Whether every PostgreSQL server of the host is what it was. Raises StepFailed."""
    if not patient.served:
        return {}
    versions = scanning.scan(patient.host, lists="cached").versions()
    return postgresql_host.proven(patient.served, earlier, patient.policy.postgresql, versions=versions)


def _extensions(patient: Patient, told: postgresql_host.Measures, measures: Measures) -> None:
    """Last, because nothing undoes it; only named where a wave that fails later would roll this host back."""
    policy = patient.policy.postgresql
    if patient.policy.rollback == "wave":
        policy = policy.model_copy(update={"extensions": "report"})
    made = postgresql_host.updated(patient.served, policy)
    measures |= {"databases": told, "extensions": made} | postgresql_host.facts(len(patient.served), told, made)


def _begin(patient: Patient, seen: Scan, measures: Measures) -> Before:
    """What must hold before the host is touched, and what it was then."""
    _require_fit(patient, seen)
    with Stopwatch(measures["seconds"])("health before"):
        _well(patient, before=True)
    _snapshot(patient, measures)
    postgresql_host.ready(patient.host, patient.served, run=patient.id)
    # Not earlier: a host that was not fit may be mended, and rebooted, before it is tried again.
    return remembered.keep(patient.host, patient.id, seen.boot_id)


def _begun(patient: Patient) -> Prepared | None:
    """What the run prepared, if its installation began; that one is followed to its end first."""
    work = job.Job(f"{patient.id}-install", "install.sh")
    seen = job.look(patient.host, work.id)
    if seen.state == "none":
        return None
    if seen.state == "running":
        log.info("%s: its installation still runs: it is brought to its end first", patient.name)
        limits = configured.limits(patient.policy)
        job.follow(patient.host, work, seconds=limits.install.total_seconds())
    return _prepare(patient)


def _prepare(patient: Patient) -> Prepared:
    """Save both sides of every change on the host; what the repository no longer has comes from the canary."""
    files = [file for _, file in patient.carried]
    try:
        return install.prepare(patient.host, patient.frozen, run_id=patient.run, carried=files)
    except StepFailed as error:
        if error.runbook != saved.GONE or not patient.carried:
            raise
        log.warning("%s: %s: it is brought from the canary", patient.name, error.happened)
    with tempfile.TemporaryDirectory(prefix="day2-carried-") as folder:
        for canary, file in patient.carried:
            saved.send(patient.host, file, saved.fetch(canary, file, Path(folder)))
    return install.prepare(patient.host, patient.frozen, run_id=patient.run, carried=files)


def _to_earlier(patient: Patient, prepared: Prepared) -> bool:
    if not prepared.part.changes:
        return False
    limits = configured.limits(patient.policy)
    rollback.rollback(patient.host, prepared, run_id=patient.run, limits=limits)
    _log_in_again(patient)
    seen = scanning.scan(patient.host, lists="cached")
    due = reboot.wanted(patient.policy.reboot.when, seen)
    if not due:
        before = remembered.recall(patient.host, patient.id)
        due = _only_a_reboot_renews(patient, _restart(patient, seen, before or Before(seen.boot_id, ())))
    if due:
        reboot.reboot(patient.host, seen.boot_id, patience=configured.reboot_patience(patient.policy))
    return True


def _log_in_again(patient: Patient) -> None:
    """Our own login is a process too: one from before the installation runs what was replaced."""
    if isinstance(patient.host.shell, Ssh):
        patient.host.shell.close()


def _restart(patient: Patient, seen: Scan, before: Before) -> Restarted:
    """Restart what runs old code, and start what ran before and does not now: that one shows no old code."""
    return services.restart(patient.host, found=seen.stale_services, also=remembered.ended(patient.host, before))


def _only_a_reboot_renews(patient: Patient, done: Restarted) -> bool:
    """Debian asks for no reboot after an update of libc, and no restart renews the bus or somebody's login."""
    return bool(done.left) and patient.policy.reboot.when == "if_required"


def _renew(patient: Patient, prepared: Prepared, before: Before, measures: Measures) -> None:
    """Restart what runs old code, or reboot where the policy says so, and prove that the new code is what runs."""
    watch = Stopwatch(measures["seconds"])
    policy = patient.policy
    _log_in_again(patient)
    seen = scanning.scan(patient.host, lists="cached")
    rebooted = seen.boot_id != before.boot_id
    # Who took over after the reboot reboots again only for what asks for it now.
    due = reboot.wanted(policy.reboot.when, seen) and (seen.reboot_required or not rebooted)
    if not due:
        with watch("restart"):
            restarted = _restart(patient, seen, before)
        measures["restarted"] = list(restarted.units)
        due = _only_a_reboot_renews(patient, restarted)
    measures["reboot_expected"] = due or rebooted
    if due or rebooted:
        with watch("reboot"):
            since = seen.boot_id if due else before.boot_id
            reboot.reboot(patient.host, since, patience=configured.reboot_patience(policy))
    with watch("effect"):
        after = scanning.scan(patient.host, lists="cached")
        found = effect.check(patient.host, prepared, after)
        measures |= _seen(after, before.boot_id) | {"stale_services": len(found.stale), "effect": list(found.words)}
        effect.require(patient.host, found, reboot_later=policy.reboot.when == "never")
        _require_running(patient, before)


def _require_running(patient: Patient, before: Before) -> None:
    gone = remembered.ended(patient.host, before)
    if gone:
        raise StepFailed(
            f"ran before and does not run now: {', '.join(gone)}",
            target=patient.name,
            left="the new packages are installed, and these services are down",
            next_step=f"`systemctl status` of them on {patient.name}; the host is rolled back",
            runbook="A service does not start after the patch",
        )


def _seen(scan: Scan, boot_id: str) -> Measures:
    """What a scan says of the end: `rebooted` compares with the boot id from before the installation."""
    return {
        "boot_id": scan.boot_id,
        "kernel": scan.kernel,
        "rebooted": scan.boot_id != boot_id,
        "stale_services": len(scan.stale_services),
    }


def _has_work(patient: Patient, prepared: Prepared, seen: Scan) -> bool:
    return bool(prepared.part.changes or seen.stale_services) or reboot.wanted(patient.policy.reboot.when, seen)


def _require_fit(patient: Patient, seen: Scan) -> None:
    """Looked at again: the plan may be hours old."""
    if seen.audit:
        raise StepFailed(
            f"an earlier installation is half done: {seen.audit.splitlines()[0]}",
            target=patient.name,
            left="nothing was touched",
            next_step=f"`dpkg --configure -a` on {patient.name}, then clear the task",
            runbook="A package does not install",
        )


def _snapshot(patient: Patient, measures: Measures) -> None:
    told = patient.policy.snapshot
    if told is None:
        return
    shell = patient.snapshot or patient.host.shell
    words = tuple(each.replace("{host}", patient.name) for each in told.command)
    done = shell.run(*words, seconds=told.timeout.total_seconds())
    measures["snapshot"] = {"ok": done.code == 0, "said": done.words}
    if done.code != 0:
        raise StepFailed(
            f"its snapshot failed: `{words[0]}` answered {done.code}: {done.words or 'it said nothing'}",
            target=patient.name,
            left="nothing was touched",
            next_step="run the command of the policy's `snapshot` by hand, then clear the task",
            runbook="A gate is closed",
        )
    log.info("%s: snapshot taken: %s", patient.name, done.words or "no output")


def _well(patient: Patient, *, before: bool = False) -> bool:
    """Ask every check until it is well. Raises StepFailed; `before` it, an ill host is not touched."""
    patience = configured.health_patience(patient.policy)
    for name, probe in patient.probes:
        try:
            health.wait(patient.name, name, probe, patience=patience)
        except StepFailed as error:
            if not before:
                raise
            raise StepFailed(
                f"was ill before it was touched: {error.happened}",
                target=patient.name,
                left="nothing was touched",
                next_step="mend the service, then clear the task",
                runbook="A service is ill after the patch",
            ) from error
    return True


def _out(patient: Patient, measures: Measures) -> None:
    measures["in_service"] = False
    if patient.hook is None:
        log.info("%s: the policy has no way to drain: it stays in service", patient.name)
        return
    drain.drain(patient.hook, patient.name)


def _back(patient: Patient, measures: Measures) -> None:
    if patient.hook is not None:
        drain.undrain(patient.hook, patient.name)
    measures["in_service"] = True

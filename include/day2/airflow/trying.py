"""Between tuning's tasks and the ledger: every step of a change is noted before it is made."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from day2.airflow import run, tuned
from day2.errors import Day2Error, StepFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from day2.inventory.model import Environment
    from day2.ledger import Ledger
    from day2.operations.performance_tuning.history import Course
    from day2.operations.performance_tuning.model import Advice, Recommendation

log = logging.getLogger("day2")
NOT_MADE, NOT_UNDONE = "A change could not be made", "A change could not be undone"


def prepare(
    ledger: Ledger, here: Environment, planned: dict[str, Any], target: dict[str, Any], *, measures: dict[str, Any]
) -> None:
    """Before the first change: put earlier ones in order, drop what builds left, rehearse what is risky."""
    from day2.operations.performance_tuning import afterwards, history, leftovers, planning

    name = target["name"]
    if target["blocked"]:
        raise StepFailed(
            f"it could not be looked at: {target['blocked']}",
            target=name,
            left="nothing was touched",
            next_step="correct that, then trigger the run again",
        )
    database = here.database(name)
    server, policy = tuned.server(here, database), here.tuning_policy(database)
    measures["settled"] = [settle(ledger, here, name, each) for each in left_in_the_middle(ledger, here, name)]
    if policy.mode != "advise":
        kept = history.courses(ledger, here.name, name)
        dropped = leftovers.sweep(server, policy, rebuilt=afterwards.rebuilt(_as_records(kept)))
        measures["leftovers_dropped"] = [each["name"] for each in dropped]
    measures["standing"] = asdict(afterwards.standing(server))
    risky = [_recommendation(each) for each in planning.of_database(planned, name) if each["rehearsed"]]
    _rehearse(here, name, risky, measures=measures)


def skip_if_not_now(ledger: Ledger, here: Environment, planned: dict[str, Any], target: dict[str, Any]) -> None:
    """Leave a change for another run before anything is begun: its window ends, its server is busy, its disk full.

    Raises AirflowSkipException with the reason, Unavailable while another change is left in the middle.
    """
    from day2.operations.performance_tuning import history, planning
    from day2.operations.performance_tuning.ready import Deferred, require_ready

    name, item = target["database"], _recommendation(target)
    database = here.database(name)
    policy = here.tuning_policy(database)
    assert item.change is not None  # noqa: S101 - a plan has only those
    own = _own(ledger, name)
    _require_in_order(ledger, here, name, item.key, own=own)
    why = planning.too_late(planned, policy.longest_change, datetime.now(UTC))
    why = why or (_not_rehearsed(own, item) if target["rehearsed"] else "")
    if not why:
        try:
            require_ready(tuned.server(here, database), item.change, policy, host=tuned.host(here, database))
        except Deferred as later:
            why = later.happened
    if not why:
        return
    now = run.current()
    body = history.put_off(here.name, name, item, why, attempt=now.attempt)
    ledger.append(history.PUT_OFF, run=now.key, body=body)
    raise AirflowSkipException(f"put off, nothing was changed: {why}")


def change(ledger: Ledger, here: Environment, target: dict[str, Any], *, measures: dict[str, Any]) -> None:
    """Try one change, as approved: if it is still found, and a copy did not speak against it. Fills `measures`.

    Raises StepFailed when it could not be made, or not undone.
    """
    from day2.operations.performance_tuning import history
    from day2.operations.performance_tuning.attempt import attempt
    from day2.operations.performance_tuning.tried import tried

    now, name, item = run.current(), target["database"], _recommendation(target)
    for course in left_in_the_middle(ledger, here, name):
        done = settle(ledger, here, name, course)
        if course.recommendation.key == item.key and done["outcome"] == "kept":
            measures |= _stamped(done)
            return
    database = here.database(name)

    def note(phase: str, facts: Mapping[str, Any]) -> None:
        # Airflow calls a task ended before its process is: what `undo` put in order must not be undone by it.
        if history.has_ended(ledger, now.key, attempt=now.attempt):
            raise StepFailed(
                f"this run was ended before the step `{phase}`",
                target=target["name"],
                left="what was begun is put in order by the task undo",
                next_step="nothing: the next run looks again",
                runbook=NOT_MADE,
            )
        body = history.note(here.name, name, item, (phase, facts), attempt=now.attempt)
        ledger.append(history.NOTED, run=now.key, body=body)

    why = _withdrawn(ledger, here, name, target)
    if why:
        done = tried(item, "withdrawn", why)
    else:
        policy, host = here.tuning_policy(database), tuned.host(here, database)
        done = attempt(tuned.server(here, database), item, policy, host=host, note=note)
    measures |= _stamped(done)
    log.info("%s: %s: %s", item.key, done["outcome"], done["decision"])
    if done["outcome"] == "failed":
        told = {"left": "what was before is back", "next_step": "nothing: the next run looks again"}
        told |= {key: text for key, text in done.get("error", {}).items() if text}
        page = told.get("runbook", NOT_MADE)
        raise StepFailed(
            done["decision"], target=target["name"], left=told["left"], next_step=told["next_step"], runbook=page
        )


def left_in_the_middle(ledger: Ledger, here: Environment, name: str) -> list[Course]:
    """Changes that somebody began and whose end nobody wrote down. The lease says that none of them is at work."""
    from day2.operations.performance_tuning import history

    return [each for each in history.courses(ledger, here.name, name) if each.unfinished]


def settle(ledger: Ledger, here: Environment, name: str, course: Course) -> dict[str, Any]:
    """Finish one of them, or take it back, and write that down. Raises NotUndone."""
    from day2.operations.performance_tuning import history
    from day2.operations.performance_tuning import settle as settling

    database = here.database(name)
    done = settling.settle(
        tuned.server(here, database), course.recommendation, course.notes, here.tuning_policy(database)
    )
    assert done is not None  # noqa: S101 - only unfinished ones come here
    log.warning("%s: %s: %s", name, course.recommendation.key, done["decision"])
    phase = "kept" if done["outcome"] == "kept" else "reverted"
    body = history.note(
        here.name, name, course.recommendation, (phase, {"settled": True}), attempt=run.current().attempt
    )
    # Beside the notes of the run that began it: they are one story.
    ledger.append(history.NOTED, run=course.run, body=body)
    return done


def _own(ledger: Ledger, name: str) -> dict[str, Any]:
    """What the database's own task of this run measured."""
    from day2.ledger import evidence

    return evidence.gather(list(ledger.entries(run=run.current().key))).measures.get(name, {}).get("tune", {})


def _require_in_order(ledger: Ledger, here: Environment, name: str, key: str, *, own: Mapping[str, Any]) -> None:
    """The database's own task went well, and no other change is left in the middle."""
    if "rehearsals" not in own:
        raise Unavailable(
            "the database was not put in order yet: its own task comes first",
            target=name,
            left="nothing was touched",
            next_step=f"read the log of the task tune [{name}]",
        )
    others = [each for each in left_in_the_middle(ledger, here, name) if each.recommendation.key != key]
    if others:
        # Its worker may have been killed, and its task's next try puts it in order: until then this one waits.
        raise Unavailable(
            f"{', '.join(each.recommendation.key for each in others)} is left in the middle: nothing else is tried",
            target=name,
            left="this change was not begun",
            next_step="put that one in order (its own task says how), then trigger the run again",
            runbook=NOT_UNDONE,
        )


def _not_rehearsed(own: Mapping[str, Any], item: Recommendation) -> str:
    """Why nobody knows what a copy says of it; empty where it said something."""
    if own["no_copy"]:
        return f"the policy wants it tried on a copy first, and there is none: {own['no_copy']}"
    said = own["rehearsals"][item.key]
    return str(said["says"]) if said["promising"] is None else ""


def _withdrawn(ledger: Ledger, here: Environment, name: str, target: dict[str, Any]) -> str:
    """Why a change is not tried after all; empty if it is."""
    item = _recommendation(target)
    if target["rehearsed"]:
        said = _own(ledger, name)["rehearsals"][item.key]
        log.info("%s: %s", item.key, said["says"])
        if not said["promising"]:
            return str(said["says"])
    if item.kind == "changed_by_hand":
        return ""
    found = tuned.advise(here, here.database(name))
    return "" if _still(found, item) else "it is not found any more: something that was done meanwhile took care of it"


def _still(found: Advice, item: Recommendation) -> bool:
    """Whether the statement that was approved is still what is to be done."""
    same = [each for each in found.recommendations if each.key == item.key and each.change and item.change]
    return any(each.change.statement == item.change.statement for each in same if each.change and item.change)


def _rehearse(here: Environment, name: str, risky: Sequence[Recommendation], *, measures: dict[str, Any]) -> None:
    """What a copy said of each; and where there is no copy, why."""
    from day2.operations.performance_tuning import collect, rehearse

    database, measures["no_copy"], measures["rehearsals"] = here.database(name), "", {}
    if not risky:
        return
    facts = collect.collect(tuned.server(here, database))
    try:
        measures["rehearsals"] = rehearse.rehearse(
            tuned.origin(here, database),
            risky,
            facts,
            here.tuning_policy(database),
            parent=here.backup_policy(database).scratch,
            run=run.current().key,
        )
    except Day2Error as error:
        log.error("%s: no rehearsal: %s", name, error)
        measures["no_copy"] = error.happened


def _recommendation(target: Mapping[str, Any]) -> Recommendation:
    from day2.operations.performance_tuning import story

    return story.recommendation(target["recommendation"])


def _as_records(courses: Sequence[Course]) -> list[dict[str, Any]]:
    return [{"recommendation": asdict(each.recommendation)} for each in courses]


def _stamped(done: dict[str, Any]) -> dict[str, Any]:
    return done | {"at": datetime.now(UTC).isoformat(timespec="seconds")}

"""The plan of a scaling run, in data and in words."""

from __future__ import annotations

import pytest

from day2.control.freezes import Freeze
from day2.errors import PlanRefused
from day2.operations.scale_resource import planning
from day2.operations.scale_resource.choose import Looked
from tests.unit.scaling.making import AT, BY_HAND, BY_USE, environment, resource, seen

ONE, TWO = (
    resource(),
    resource(name="web", driver={"kind": "ecs_service", "connection": "aws", "cluster": "c", "service": "s"}),
)


def plan(*resources, looks, trigger=BY_USE, size="", freezes=(), dry_run=False, **policy):
    request = planning.Request(environment(*resources, **policy), resources, trigger, dry_run, "hash", size)
    return planning.make(request, looks, freezes=freezes, now=AT)


def test_every_chosen_resource_is_a_target_and_each_says_why():
    planned = plan(ONE, TWO, looks={"workers": Looked(seen(3), used=80), "web": Looked(seen(3), used=62)})
    assert planned["change"] == "standard"
    assert planning.lines(planned) == [
        "Scale in production: 1 of 2 resources change",
        "workers: 3 → 4 (more): 80 % used: 75 % is the threshold; costs 2 an hour instead of 1.5",
        "web: stays 3: 62 % used",
    ]


def test_above_the_limit_a_person_is_asked_and_reads_so():
    costly = resource(approve_above=1.5)
    planned = plan(costly, looks={"workers": Looked(seen(3), used=80)})
    assert planned["change"] == "normal"
    assert planning.lines(planned)[1].endswith("; a person has to approve")


def test_what_cannot_be_judged_is_said_and_stops_no_other():
    planned = plan(ONE, TWO, looks={"workers": Looked(None, "AWS refused"), "web": Looked(seen(3), used=80)})
    assert planning.lines(planned)[1] == "workers: cannot be judged: AWS refused"
    assert planned["targets"][1]["size"] == "4"


def test_more_changes_than_the_blast_radius_are_refused_and_looks_are_not():
    looks = {"workers": Looked(seen(3), used=80), "web": Looked(seen(3), used=80)}
    with pytest.raises(PlanRefused, match="2 targets exceed the blast radius of 1"):
        plan(ONE, TWO, looks=looks, max_targets=1)
    assert plan(ONE, TWO, looks=looks | {"web": Looked(seen(3), used=50)}, max_targets=1)


def test_a_freeze_stops_a_change_and_neither_a_look_nor_a_dry_run():
    freeze = Freeze("year's end", AT, AT.replace(hour=20))
    looks = {"workers": Looked(seen(3), used=80)}
    with pytest.raises(PlanRefused, match="the freeze 'year's end' lasts until"):
        plan(ONE, looks=looks, freezes=[freeze])
    assert plan(ONE, looks=looks, freezes=[freeze], dry_run=True)
    assert plan(ONE, looks={"workers": Looked(seen(3), used=50)}, freezes=[freeze])


def test_a_size_by_hand_is_of_one_resource_and_says_why():
    looks = {"workers": Looked(seen(3), used=50), "web": Looked(seen(3), used=50)}
    with pytest.raises(PlanRefused, match="of more than one resource"):
        plan(ONE, TWO, looks=looks, trigger=BY_HAND, size="4")
    with pytest.raises(PlanRefused, match="a run by hand needs a reason"):
        plan(ONE, looks=looks, trigger=planning.Trigger("manual", "operator", "", ""), size="4")
    planned = plan(ONE, looks=looks, trigger=BY_HAND, size="4")
    assert (planned["change"], planned["targets"][0]["why"]) == ("normal", "asked for by hand; by the rules: 50 % used")


def test_the_digest_changes_with_the_size():
    one = plan(ONE, looks={"workers": Looked(seen(3), used=80)})
    other = plan(ONE, looks={"workers": Looked(seen(4), used=80)})
    assert one["digest"] != other["digest"]


def test_events_name_resources_and_unknown_ones_are_no_reason_to_do_nothing():
    here = environment(ONE, TWO)
    events = [{"resources": ["web"]}, {"resources": ["web", "gone"]}, {}]
    assert planning.asked_for(here, events, field="resources") == ["web"]
    with pytest.raises(PlanRefused, match="named gone, and the inventory has none of that"):
        planning.asked_for(here, [{"resources": ["gone"]}], field="resources")
    with pytest.raises(PlanRefused, match="named no resource"):
        planning.asked_for(here, [], field="resources")

"""The asset through which health_check asks for a resource to be scaled: both DAGs name it here."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAlias, AssetOrTimeSchedule

from day2.airflow.dag import cron
from day2.inventory.model import Environment, ScalingPolicy

# In an event's extra: the names of the resources that are asked for.
RESOURCES = "resources"


def asset(environment_name: str) -> Asset:
    """The asset of an environment. An event of it starts `scale_resource` there."""
    # With `x-` it is ours: for any other scheme Airflow imports every provider's assets, boto3 too, at each parse.
    return Asset(name=f"day2-scaling-{environment_name}", uri=f"x-day2://{environment_name}/scaling")


def alias(environment_name: str) -> AssetAlias:
    """Through which `health_check` emits the event, when there is something to ask for and only then."""
    return AssetAlias(name=f"day2-scaling-asked-{environment_name}")


def schedule(policy: ScalingPolicy, environment: Environment) -> Any:
    """When `scale_resource` runs: at an event of the asset, and by the policy's cron if it has one."""
    asked = [asset(environment.name)]
    if policy.schedule is None:
        return asked
    return AssetOrTimeSchedule(timetable=cron(policy.schedule, environment), assets=asked)

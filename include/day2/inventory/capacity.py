"""The policy of capacity reviews: what is reviewed, against which limit, how far ahead, and who must sign."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from day2.inventory.fields import Cron, Duration, Model, Name, PositiveDuration
from day2.inventory.health import MetricName

Unit = Literal["bytes", "count", "percent"]
WHOLE = 100.0


class Reviewed(Model):
    """A resource: which metric says what is used of it, and what that is held against."""

    name: str = Field(min_length=1, description="what the report calls it")
    unit: Unit = Field(default="count", description="how its amounts are written")
    limit: float | None = Field(default=None, gt=0, description="a fixed limit, in its unit; 100 for a percentage")
    limit_metric: MetricName | None = Field(default=None, description="the metric that says the limit, of each part")
    counter: bool = Field(default=False, description="it only rises: its increase a second is reviewed")

    @model_validator(mode="after")
    def _one_limit(self) -> Reviewed:
        if self.limit is not None and self.limit_metric is not None:
            raise ValueError("give limit or limit_metric, not both")
        return self

    @property
    def fixed(self) -> float | None:
        """The limit that does not come from a metric."""
        if self.limit is None and self.limit_metric is None and self.unit == "percent":
            return WHOLE
        return self.limit


# What runs out on any machine. Each can be changed, or left out with null.
RESOURCES: dict[str, Reviewed | None] = {
    "cpu_percent": Reviewed(name="CPU", unit="percent"),
    "memory_percent": Reviewed(name="memory", unit="percent"),
    "disk_used": Reviewed(name="disk", unit="bytes", limit_metric="disk_total"),
    "inodes_used": Reviewed(name="inodes", limit_metric="inodes_total"),
    "connections_percent": Reviewed(name="connections", unit="percent"),
    "sequence_percent": Reviewed(name="sequence ids", unit="percent"),
}


class Incident(Model):
    """Days that say nothing of normal growth: they are marked, and left out of every forecast."""

    since: date = Field(description="the first day, of UTC")
    until: date = Field(description="the last day")
    why: str = Field(min_length=3, description="what happened")
    targets: tuple[str, ...] = Field(default=(), description="as kind/name; all of them, if there is none")

    @model_validator(mode="after")
    def _in_order(self) -> Incident:
        if self.until < self.since:
            raise ValueError("it ends before it begins")
        return self


class MachineSize(Model):
    """A size that a machine can have."""

    name: str = Field(min_length=1, description="what the provider calls it, and a target's tag")
    capacity: dict[MetricName, float] = Field(
        min_length=1, description="metric of a percentage: how much that is of: cpu_percent: 4, memory_percent: 16e9"
    )
    cost_month: float = Field(ge=0, description="a month, in the currency of the basis")

    @model_validator(mode="after")
    def _above_zero(self) -> MachineSize:
        if wrong := sorted(name for name, amount in self.capacity.items() if amount <= 0):
            raise ValueError(f"{', '.join(wrong)}: must be above zero")
        return self


class Costs(Model):
    """Where the costs come from: a saving against list prices is not one against a contract's."""

    kind: Literal["list price", "actual cost"] = Field(description="what they are")
    currency: str = Field(min_length=1, description="such as EUR")
    source: str = Field(min_length=3, description="where they were read")
    as_of: date = Field(description="on which day")


class Sizing(Model):
    """Which sizes there are, and when one is proposed instead of another. A target says its own in a tag."""

    sizes: tuple[MachineSize, ...] = Field(min_length=2, description="the sizes there are")
    costs: Costs = Field(description="where their costs come from; every proposal says it")
    tag: Name = Field(default="size", description="the tag of a target that names its size")
    busy_percent: int = Field(default=80, ge=1, le=100, description="how full a machine may be in normal use")
    accepted_risk: int = Field(default=1, ge=0, le=4, description="0: the peak leaves room, to 4: it does not fit")
    least_saving_percent: int = Field(default=10, ge=0, le=100, description="a smaller saving is not worth a change")

    @model_validator(mode="after")
    def _alike(self) -> Sizing:
        known = {frozenset(each.capacity) for each in self.sizes}
        if len(known) > 1:
            raise ValueError("every size needs a capacity of the same metrics")
        if len({each.name for each in self.sizes}) < len(self.sizes):
            raise ValueError("two sizes have the same name")
        return self

    def size(self, name: str) -> MachineSize | None:
        """The size of that name; none where there is none."""
        return next((each for each in self.sizes if each.name == name), None)


class CapacityPolicy(Model):
    """How capacity is reviewed. Set for the environment."""

    schedule: Cron = Field(default="0 6 1 */3 *", description="cron, in the environment's time zone")
    history: PositiveDuration = Field(
        default="P400D", validate_default=True, description="how far back samples are read"
    )
    ahead_days: int = Field(default=90, ge=7, le=400, description="how far ahead it looks; never further than back")
    coverage: float = Field(default=0.8, gt=0.5, lt=1, description="share of outcomes that an interval should hold")
    headroom_percent: int | None = Field(
        default=None, ge=0, le=90, description="what stays free of a limit; of the tier: 25, 15 or 10"
    )
    lead: Duration | None = Field(
        default=None, description="how long getting more takes; of the tier: 45, 30 or 14 days"
    )
    resources: dict[MetricName, Reviewed | None] = Field(
        default={}, description="metric: how it is reviewed; null leaves ours out; what is not named keeps ours"
    )
    incidents: tuple[Incident, ...] = Field(default=(), description="days that are left out, and why")
    sizing: Sizing | None = Field(default=None, description="which sizes and costs to propose from; none: no proposals")
    sign_off_timeout: PositiveDuration = Field(
        default="P14D", validate_default=True, description="after this an unsigned report fails the run"
    )
    lease_ttl: PositiveDuration = Field(
        default="PT2H", validate_default=True, description="how long a lease on a target lasts if nobody releases it"
    )

    @property
    def reviewed(self) -> dict[str, Reviewed]:
        """Every metric that is reviewed: ours, and the policy's over them."""
        return {metric: each for metric, each in (RESOURCES | self.resources).items() if each is not None}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that has to be read: what is used, its limits, and what sizes are reckoned with."""
        limits = {each.limit_metric for each in self.reviewed.values() if each.limit_metric}
        sized = {metric for each in (self.sizing.sizes if self.sizing else ()) for metric in each.capacity}
        return tuple(sorted(self.reviewed.keys() | limits | sized))

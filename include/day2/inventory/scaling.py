"""What may be scaled, how far and how it is reached; and the policy of scaling."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from day2.inventory.fields import ConnectionId, Cron, Duration, Model, Name, PositiveDuration
from day2.inventory.health import MetricName

# Never begins with a dash: a size is an argument of commands.
SIZE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
SizeName = Annotated[str, StringConstraints(pattern=SIZE)]
PLACE = "{size}"


class AutoScalingGroup(Model):
    """So many instances of an Amazon EC2 Auto Scaling group: its desired capacity."""

    kind: Literal["auto_scaling_group"] = Field(description="how many instances it has")
    connection: ConnectionId = Field(description="Airflow connection of type aws")
    group: str = Field(min_length=1, description="the group's name")


class RdsClass(Model):
    """The class of an Amazon RDS instance. To change it interrupts its clients."""

    kind: Literal["rds_class"] = Field(description="which class it is of")
    connection: ConnectionId = Field(description="Airflow connection of type aws")
    instance: str = Field(min_length=1, description="the instance's identifier")


class RdsStorage(Model):
    """The storage of an Amazon RDS instance, in gigabytes. It can only grow."""

    kind: Literal["rds_storage"] = Field(description="how many gigabytes it has")
    connection: ConnectionId = Field(description="Airflow connection of type aws")
    instance: str = Field(min_length=1, description="the instance's identifier")


class EcsService(Model):
    """So many tasks of an Amazon ECS service: its desired count."""

    kind: Literal["ecs_service"] = Field(description="how many tasks it has")
    connection: ConnectionId = Field(description="Airflow connection of type aws")
    cluster: str = Field(min_length=1, description="the cluster's name")
    service: str = Field(min_length=1, description="the service's name")


class Command(Model):
    """A command on a host: for whatever else can be scaled."""

    kind: Literal["command"] = Field(description="run a command")
    host: Name | None = Field(default=None, description="one of `hosts`")
    connection: ConnectionId | None = Field(default=None, description="or an Airflow connection of type ssh")
    read: tuple[str, ...] = Field(
        min_length=1, description="its arguments; prints the name of the size that is really there, and nothing else"
    )
    write: tuple[str, ...] = Field(
        min_length=1, description="its arguments; {size} becomes the name of the wanted size"
    )
    timeout: PositiveDuration = Field(default="PT1M", validate_default=True, description="no answer by then: a failure")

    @model_validator(mode="after")
    def _complete(self) -> Command:
        if (self.host is None) == (self.connection is None):
            raise ValueError("a command needs a host, or a connection; not both")
        if not any(PLACE in each for each in self.write):
            raise ValueError(f"write does not say where the size goes; put {PLACE} into it")
        return self


Driver = Annotated[AutoScalingGroup | RdsClass | RdsStorage | EcsService | Command, Field(discriminator="kind")]
# Pydantic puts these into the location of an error; they are not in the file.
DRIVER_TAGS = frozenset({"auto_scaling_group", "rds_class", "rds_storage", "ecs_service", "command"})
COUNTED = frozenset({"auto_scaling_group", "rds_storage", "ecs_service"})
ONLY_GROWS = frozenset({"rds_storage"})


class Size(Model):
    """One size of a resource that has names for them."""

    name: SizeName = Field(description="as the driver calls it: db.r6g.large")
    capacity: float = Field(gt=0, description="what it can carry, compared with the other sizes: CPUs, say")
    cost: float = Field(default=0, ge=0, description="what it costs an hour")


class Count(Model):
    """The sizes of a resource that is counted: instances, tasks, gigabytes."""

    min: int = Field(ge=1, description="never fewer")
    max: int = Field(ge=1, description="never more")
    by: int = Field(default=1, ge=1, description="from one size to the next: 1 instance, 20 gigabytes")
    cost: float = Field(default=0, ge=0, description="what one costs an hour")

    @model_validator(mode="after")
    def _in_order(self) -> Count:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if (self.max - self.min) % self.by:
            raise ValueError(f"no whole number of steps of {self.by} leads from {self.min} to {self.max}")
        return self


class Follows(Model):
    """The measured use of a resource: a series of health_check, in percent."""

    target: str = Field(description="whose it is, as health_check calls it: host/web-01, database/orders")
    metric: MetricName = Field(description="what is measured: cpu_percent, disk_percent")
    part: str = Field(default="", description="of which part of it: a mount point, a database")


class Hours(Model):
    """What is asked for at some hours, whatever the use is."""

    start: Cron = Field(description="cron, in the environment's time zone")
    duration: PositiveDuration = Field(description="for how long it holds")
    at_least: SizeName | None = Field(default=None, description="no smaller size while it holds")
    at_most: SizeName | None = Field(default=None, description="no larger size while it holds")


class Resource(Model):
    """Something of which there can be more or less: how it is reached, its sizes, and what may be done unasked."""

    name: Name = Field(description="what operations call it")
    owner: str | None = Field(default=None, description="who answers for it; the environment's owner if unset")
    tags: dict[str, str] = Field(default={}, description="labels of your own")
    driver: Driver = Field(description="how its size is read and changed")
    ladder: tuple[Size, ...] = Field(default=(), description="its sizes, the smallest first; or count")
    count: Count | None = Field(default=None, description="its sizes, where they are numbers; or ladder")
    follows: Follows | None = Field(default=None, description="its measured use; none: by schedule and by hand only")
    more_at: float = Field(default=75, gt=0, description="percent of use from which on there is more of it")
    less_at: float | None = Field(
        default=30, ge=0, description="percent of use down to which there is less of it; null: never less"
    )
    margin: float = Field(
        default=10, ge=0, description="a smaller size stays this far below more_at, in percent points"
    )
    step: int = Field(default=1, ge=1, description="sizes at once, at most")
    cooldown: Duration = Field(
        default="PT15M", validate_default=True, description="after a change, its use is not answered for so long"
    )
    budget: float | None = Field(default=None, ge=0, description="never a size that costs more than this an hour")
    approve_above: float | None = Field(
        default=None, ge=0, description="a person approves more of it, when it will cost more than this an hour"
    )
    schedules: tuple[Hours, ...] = Field(default=(), description="hours that ask for more, or less")

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Its sizes, the smallest first; counted ones by their number. A cost is as exact as it was written."""
        if self.count is None:
            return self.ladder
        one = Decimal(str(self.count.cost))
        return tuple(
            Size(name=str(number), capacity=number, cost=float(one * number))
            for number in range(self.count.min, self.count.max + 1, self.count.by)
        )

    @property
    def only_grows(self) -> bool:
        """Whether a smaller size cannot be had."""
        return self.driver.kind in ONLY_GROWS


class ScalingPolicy(Model):
    """How resources are scaled. Besides by its schedule a run begins when health_check asks for it."""

    schedule: Cron | None = Field(
        default=None, description="cron, in the environment's time zone; needed where a resource has schedules"
    )
    use_within: PositiveDuration = Field(
        default="PT15M", validate_default=True, description="use that was measured longer ago is not known"
    )
    max_targets: int = Field(default=10, ge=1, description="blast radius: a run with more changes is refused")
    response_timeout: PositiveDuration = Field(
        default="PT30M",
        validate_default=True,
        description="after this an unanswered approval is a refusal; nothing else is scaled meanwhile",
    )
    verify_within: PositiveDuration = Field(
        default="PT15M", validate_default=True, description="the new size is there by then, or the old one comes back"
    )
    look_every: PositiveDuration = Field(
        default="PT10S", validate_default=True, description="time between two looks at what is there"
    )
    lease_ttl: PositiveDuration = Field(
        default="PT2H", validate_default=True, description="how long a lease on a resource lasts if nobody releases it"
    )
    retries: int = Field(default=2, ge=0, le=10, description="how often an API that does not answer is asked again")
    retry_delay: Duration = Field(default="PT30S", validate_default=True, description="time between two tries")

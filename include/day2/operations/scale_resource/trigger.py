"""Whether somebody should ask for a resource to be scaled now. Pure; for who measures."""

from __future__ import annotations

from datetime import datetime

from day2.operations.scale_resource.decide import Direction, Rules


def wanted(rules: Rules, used: float | None, asked: datetime | None, now: datetime) -> Direction | None:
    """The direction to ask for, or none. `used` is in percent; `asked` is when this was asked for last.

    A threshold that is exactly met counts. What was asked for is not asked for again within the cooldown: a run that
    found its bound, or waits for a person, would be asked at every look.
    """
    if used is None or (asked is not None and now - asked < rules.cooldown):
        return None
    if used >= rules.more_at:
        return "more"
    return "less" if used <= rules.less_at else None

"""An environment with two targets and a policy of capacity reviews."""

from __future__ import annotations

from typing import Any

from day2.inventory import Environment


def environment(policy: dict[str, Any] | None = None, *, tags: dict[str, str] | None = None) -> Environment:
    return Environment.model_validate(
        {
            "name": "production",
            "tier": "production",
            "owner": "platform-team",
            "regions": {"primary": "here", "recovery": "there"},
            "repositories": [{"name": "primary", "url": "file:///tmp/points", "region": "here"}],
            "hosts": [
                {"name": "web-01", "address": "web-01", "connection": "ssh", "region": "here", "tags": tags or {}}
            ],
            "databases": [{"name": "orders", "connection": "pg", "region": "here", "owner": "shop-team"}],
            "policies": {
                "database_backup": {"encryption": "none"},
                "capacity_review": policy or {},
            },
        }
    )

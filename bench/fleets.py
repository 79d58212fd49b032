"""Generated inventories: many environments to parse, or many tiny databases to back up."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
name: {name}
tier: development
owner: bench
regions: {{primary: eu-west-1, recovery: eu-central-1}}
repositories:
  - name: primary
    url: s3://day2-backups-eu-west-1/{name}
    connection: s3_eu_west_1
    region: eu-west-1
policies:
  database_backup:
    schedule: 0 2 * * *
    engine: logical
    required_score: 2-2-0-0-0
    max_targets: 1000
    retries: 0
    encryption: {{recipients: ["connection:day2_age"], identity: day2_age}}
databases:
"""
DATABASE = """\
  - name: {name}
    connection: pg_billing
    dbname: {dbname}
    region: eu-west-1
    owner: bench
    tags: {{service: service-{number}}}
"""


def dbname(number: int) -> str:
    """The name of a tiny database on its server."""
    return f"tiny_{number:03}"


def write_environment(home: Path, name: str, targets: int) -> Path:
    """An environment file with that many databases below `home`, as DAY2_HOME would name it."""
    databases = [DATABASE.format(name=f"tiny-{each:03}", dbname=dbname(each), number=each) for each in range(targets)]
    folder = home / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(name=name) + "".join(databases))
    return path

"""docs/restore.md by hand: its blocks are run as they stand, with stock tools; and runbooks have what errors name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from day2.postgres import binaries
from day2.postgres.programs import inherited
from day2.postgres.server import Server
from day2.repository.s3 import S3Store
from lab.postgres import reachable_temporary_folder
from tests.integration.restore.making import DATABASE, INSTALLED, NAME, dumped, maintenance

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "restore.md").read_text()
# Where Debian's age is not installed, its Python twin stands in for it: `age -d -i FILE`.
AGE = (
    f"age() {{ {sys.executable} -c 'import sys, pyrage; lines = open(sys.argv[3]).read().split();"
    " pyrage.decrypt_io(sys.stdin.buffer, sys.stdout.buffer, [pyrage.x25519.Identity.from_str(lines[-1])])'"
    ' "$@"; }\n'
)
missing = [each for each in ("aws", "zstd", "tar", "bash") if shutil.which(each) is None]
needs_tools = pytest.mark.skipif(bool(missing), reason=f"this machine lacks {', '.join(missing)}")


def block(name: str) -> str:
    found = re.search(rf"<!-- tested: {name} -->\n```bash\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"docs/restore.md has no block {name}"
    return found[1]


def run(name: str, folder: Path, *, run_as=None, **variables: str) -> str:
    script = "set -euo pipefail\n" + ("" if shutil.which("age") else AGE) + block(name)
    path = f"{INSTALLED[0].folder}:{os.environ['PATH']}"
    env = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": os.environ["HOME"], **variables}
    command = ["bash", "-c", script]
    more = {"pass_fds": inherited(env)} | (run_as or {})
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def place(kept, s3):
    """The repository in a bucket; what the blocks' `aws` and `$POINT` need."""
    store = S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)
    for item in kept.store.items(""):
        with kept.store.open(item.key) as file:
            store.write(item.key, file, expected_bytes=item.bytes)
    variables = {
        "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.credentials.secret_key,
        "AWS_DEFAULT_REGION": s3.region,
    }
    return lambda point: variables | {"POINT": f"{store.url}/{DATABASE}/{point}"}


@pytest.fixture
def folder(kept):
    made = reachable_temporary_folder(binaries.unprivileged())
    (made / "identity.txt").write_text(f"# created: today\n{kept.key}\n")
    yield made
    shutil.rmtree(made)


@needs_tools
def test_a_logical_point_comes_back_by_hand(kept, source, empty, place, folder):
    variables = place(kept.logical)
    assert run("whole", folder, **variables).count("ok") == 2
    with maintenance(empty).environment() as env:
        server = {key: value for key, value in env.items() if key.startswith("PG")}
        run("logical", folder, **variables, **server)
    assert dumped(maintenance(empty), NAME, "--create") == dumped(maintenance(source), NAME, "--create")


@needs_tools
def test_a_physical_point_comes_back_by_hand(kept, source, place, folder):
    variables = place(kept.physical)
    assert run("whole", folder, **variables).count("ok") == 1
    run("physical", folder, **variables)
    run_as = binaries.unprivileged()
    if run_as:
        subprocess.run(["chown", "-R", f"{run_as['user']}:{run_as['group']}", "restored"], cwd=folder, check=True)
    run("start", folder, run_as=run_as)
    try:
        restored = Server(str(folder / "restored"), 5432, "postgres", "postgres")
        unlogged = "--no-unlogged-table-data"
        assert dumped(restored, NAME, unlogged) == dumped(maintenance(source), NAME, unlogged)
    finally:
        stop = [INSTALLED[0]["pg_ctl"], "-D", str(folder / "restored"), "-m", "immediate", "stop"]
        subprocess.run(stop, cwd="/", check=True, capture_output=True, **run_as)


@needs_tools
def test_damage_is_seen_by_hand(kept, place, folder, s3):
    variables = place(kept.logical)
    bucket, _, prefix = variables["POINT"].removeprefix("s3://").partition("/")
    key = f"{prefix}/dump.pgdump.zst.age"
    data = bytearray(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())
    data[len(data) // 2] ^= 1
    s3.client().put_object(Bucket=bucket, Key=key, Body=bytes(data))
    with pytest.raises(AssertionError, match=r"dump\.pgdump\.zst\.age: DAMAGED"):
        run("whole", folder, **variables)


def test_every_section_an_error_names_is_in_the_runbook():
    """Those of the packages a restore uses; other operations' sections are in their own runbooks."""
    headings = set(re.findall(r"^## (.+)$", (ROOT / "include/runbooks/database_restore.md").read_text(), re.MULTILINE))
    library = ROOT / "include" / "day2"
    used = [library / each for each in ("operations/database_restore", "postgres", "repository", "cli")]
    others = {library / "cli" / each for each in ("capacity.py", "metrics.py")}
    named = {
        section
        for each in used
        for path in set(each.rglob("*.py")) - others
        for section in re.findall(r'runbook ?= ?"([^"]+)"', path.read_text())
    }
    assert len(named) > 10, "the search finds them"
    assert named <= headings, named - headings

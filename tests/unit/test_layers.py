"""The shape of the code: who may import whom, runbook sections that exist, and nothing too long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
MODULES = sorted((INCLUDE / "day2").rglob("*.py"))
RUNBOOKS = INCLUDE / "runbooks"
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

# DESIGN's table. `errors`, `units` and `readable` belong to everyone.
COMMON = {"errors", "units", "readable", "__version__"}
DOERS = {"postgres", "hosts", "aws", "repository", "metrics", "validation", "reports"}
BASE = {"inventory", "ledger", "control"}
MAY_IMPORT = {
    "inventory": set(),
    "ledger": {"inventory"},
    "control": {"inventory", "ledger"},
    "postgres": {"inventory"},
    "hosts": {"inventory"},
    "aws": {"inventory"},
    "repository": {"inventory"},
    "metrics": {"inventory"},
    "validation": set(),
    "reports": set(),
    "operations": BASE | DOERS,
    "airflow": BASE | DOERS | {"operations"},
    "web": BASE | DOERS | {"airflow"},
    "cli": BASE | DOERS | {"operations"},
}
# A manifest says what a database held, in the words that measure it.
EXCEPTIONS = {("repository", "day2.postgres.content")}
KNOW_AIRFLOW = {"airflow", "web"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def package(path: Path) -> str:
    """The part of day2 a file belongs to: `postgres`, or the module's own name at the top."""
    return path.relative_to(INCLUDE / "day2").with_suffix("").parts[0]


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every imported module, wherever in the file, as line and dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def forbidden(path: Path, tree: ast.Module) -> Iterator[str]:
    here = package(path)
    if here in COMMON | {"__init__"}:
        return
    for line, name in imports(tree):
        where = f"{path.relative_to(ROOT)}:{line}: {here} imports {name}"
        top, *rest = name.split(".")
        if top == "airflow" and here not in KNOW_AIRFLOW:
            yield where
        if top != "day2" or not rest or rest[0] in {here} | COMMON:
            continue
        if any(here == who and name.startswith(what) for who, what in EXCEPTIONS):
            continue
        if rest[0] not in MAY_IMPORT[here]:
            yield where


def test_there_is_code_to_look_at():
    assert len(MODULES) > 40
    assert {package(path) for path in MODULES} - COMMON - {"__init__"} <= set(MAY_IMPORT)


def test_packages_depend_downwards_only():
    assert [line for path in MODULES for line in forbidden(path, parsed(path))] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("postgres/x.py", "from day2.repository import points"),
        ("repository/x.py", "def f():\n    from day2.postgres import server"),
        ("inventory/x.py", "from day2 import ledger"),
        ("operations/x.py", "import airflow.sdk"),
        ("cli/x.py", "from day2.airflow import run"),
        ("validation/x.py", "import day2.inventory.model"),
    ],
)
def test_a_wrong_import_is_found(path, code):
    assert len(list(forbidden(INCLUDE / "day2" / path, ast.parse(code)))) == 1


def runbook_sections() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md")]
    return {match[1].strip() for text in texts for match in re.finditer(r"^## (.+)$", text, re.MULTILINE)}


def named_runbooks(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every `runbook="…"` argument, and every string given to a variable of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "runbook":
            yield from strings(node.value)
        if isinstance(node, ast.Assign) and any(getattr(each, "id", "").lower() == "runbook" for each in node.targets):
            yield from strings(node.value)


def strings(value: ast.expr) -> Iterator[tuple[int, str]]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            yield node.lineno, node.value


def test_every_runbook_section_an_error_names_exists():
    known = runbook_sections()
    named = [(path, line, name) for path in MODULES for line, name in named_runbooks(parsed(path))]
    assert len(named) > 20
    missing = [f"{path.relative_to(ROOT)}:{line}: {name!r}" for path, line, name in named if name not in known]
    assert missing == []


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_module_is_longer_than_can_be_read():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_can_be_read():
    found = [
        f"{path.relative_to(ROOT)}:{each.lineno}: {each.name}: {lines} lines"
        for path in MODULES
        for each in functions(parsed(path))
        if (lines := (each.end_lineno or each.lineno) - each.lineno + 1) > LONGEST_FUNCTION
    ]
    assert found == []


def test_every_module_says_what_it_is():
    bare = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(parsed(path))]
    assert bare == []


def test_no_broad_except_goes_unexplained():
    found = []
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
                raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
                if broad and not raises and "BLE001 - " not in lines[node.lineno - 1]:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []

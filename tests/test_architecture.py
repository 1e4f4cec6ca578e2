"""The import table of docs/explanation/architecture.md, held against the imports that are really there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "airflow_provider_apscores"
NAME = PACKAGE.name

# Room -> the rooms and top-level packages that it may import besides the standard library.
# "heavy" marks what may be imported inside functions only.
ROOMS: dict[str, set[str]] = {
    # What Airflow calls for our assets' URIs while it parses DAGs.
    "assets": {"airflow", "triggers"},
    "operators": {
        "airflow", "assets", "delivery", "errors", "hooks", "pendulum", "scorefile", "sensors", "storage", "triggers",
        "webservice",
    },
    # Both turn our errors into Airflow's words by hooks/exceptions.py.
    "sensors": {
        "airflow", "delivery", "errors", "hooks", "operators", "scorefile", "storage", "triggers", "webservice",
    },
    "triggers": {"airflow", "delivery", "errors", "hooks", "pendulum", "scorefile", "storage", "webservice"},
    # asgiref, flask_appbuilder, flask_babel and wtforms come with the Airflows that need them.
    "hooks": {
        "airflow", "asgiref", "errors", "flask_appbuilder", "flask_babel", "get_provider_info", "imapclient",
        "pendulum", "re2", "webservice", "wtforms",
    },
    "delivery": {"errors", "pendulum", "scorefile", "storage", ""},
    "webservice": {"errors", "httpcore", "httpx", "pendulum", ""},
    "scorefile": {"errors", "fsspec", "numpy", "pyarrow", "storage", ""},
    "sandbox": {"scorefile", ""},
    "errors": set(),
    "storage": {"errors", "fsspec"},
    "get_provider_info": {""},
    "__init__": set(),
}  # fmt: skip
LIGHT = {"airflow", "httpcore", "httpx"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool, int]]:
    """(what is imported, whether at the top of the module, line); type-checking imports are left out."""
    tree = ast.parse(path.read_text())
    found: list[tuple[str, bool, int]] = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, top, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: imports are absolute here"
                found.append((child.module or "", top, child.lineno))
                if child.module == NAME:
                    found[-1:] = [(f"{NAME}.{alias.name}", top, child.lineno) for alias in child.names]
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for other in child.orelse:
                    visit(other, top)
            else:
                visit(child, top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(tree, True)
    return found


def target(name: str) -> str:
    """A room of ours, "" for the version in the root, or a top-level package."""
    if name == NAME or name.startswith(f"{NAME}.__version__"):
        return ""
    if name.startswith(f"{NAME}."):
        return name.split(".")[1]
    return name.split(".")[0]


def is_stdlib(name: str) -> bool:
    import sys

    return name.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_imports_only_what_its_room_may(path: Path):
    own = room(path)
    assert own in ROOMS, f"{own} is no room of the import table; a new room needs a reason in docs/"
    for name, _top, line in imports(path):
        if is_stdlib(name):
            continue
        assert target(name) in ROOMS[own] | {own}, f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_one_and_two_are_entered_by_their_door(path: Path):
    for name, _top, line in imports(path):
        for door in ("webservice", "scorefile"):
            inside = name.startswith(f"{NAME}.{door}.")
            assert not inside or room(path) == door, f"{path}:{line} imports {name}, not {NAME}.{door}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_where_they_are_used(path: Path):
    for name, top, line in imports(path):
        if top and not is_stdlib(name) and not name.startswith(NAME):
            allowed = name.split(".")[0] in LIGHT and (room(path) not in ("webservice",) or path.name == "transport.py")
            assert allowed, f"{path}:{line} imports {name} at its top"


def test_httpx_is_used_in_one_file():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for name, *_ in imports(path)
        if target(name) == "httpx"
    }
    assert users <= {"webservice/transport.py"}


def test_a_violation_is_seen(tmp_path: Path):
    module = tmp_path / "module.py"
    module.write_text("import os\ndef f():\n    from airflow.models import DAG\n")

    assert imports(module) == [("os", True, 1), ("airflow.models", False, 3)]

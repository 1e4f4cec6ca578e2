"""The imports of the package follow the import table of docs/explanation/architecture.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "airflow_provider_apscores"
NAME = PACKAGE.name
#: What paths on the architecture page are relative to.
PLACES = (PACKAGE, PACKAGE / "scorefile", PACKAGE.parent)

# Package -> the packages that it may import besides the standard library; "" is the version in the root.
PACKAGES: dict[str, set[str]] = {
    # rich and rich_argparse: on a terminal.
    "cli": {
        "airflow", "assets", "delivery", "errors", "hooks", "operators", "pyarrow", "report", "rich", "rich_argparse",
        "sandbox", "scorefile", "scores", "storage", "webservice", "",
    },
    "task_groups": {"airflow", "assets", "hooks", "operators"},
    # Airflow calls it for the URIs of assets while it parses DAGs.
    "assets": {"airflow", "triggers"},
    "plugin": {"airflow", "assets", "fastapi", "report", "sqlalchemy", "triggers"},
    "operators": {
        "airflow", "assets", "delivery", "errors", "hooks", "openlineage", "pendulum", "scorefile", "scores", "sensors",
        "storage", "triggers", "webservice",
    },
    # operators and sensors share references.
    "sensors": {
        "airflow", "delivery", "errors", "hooks", "operators", "pendulum", "scorefile", "storage", "triggers",
        "webservice",
    },
    "triggers": {"airflow", "delivery", "errors", "hooks", "pendulum", "scorefile", "storage", "webservice"},
    # Airflow installs asgiref, flask_appbuilder, flask_babel and wtforms where it needs them.
    "hooks": {
        "adbc_driver_duckdb", "adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite", "airflow",
        "asgiref", "errors", "flask_appbuilder", "flask_babel", "fsspec", "get_provider_info", "imapclient", "pendulum",
        "re2", "webservice", "wtforms",
    },
    "delivery": {"errors", "pendulum", "scorefile", "storage", ""},
    # adbc_driver_manager: to tell its errors apart.
    "scores": {"adbc_driver_manager", "errors", "numpy", "pyarrow", "scorefile", "storage", ""},
    # It renders plain values; for the names of exams it needs their table.
    "report": {"scorefile"},
    "webservice": {"errors", "httpcore", "httpx", "pendulum", ""},
    "scorefile": {"errors", "fsspec", "numpy", "pyarrow", "storage", ""},
    "sandbox": {"scorefile", ""},
    # Users import it, and pytest loads its plugin; nothing else imports it.
    "testing": {"airflow", "pytest", "sandbox"},
    "errors": set(),
    "storage": {"errors", "fsspec"},
    "get_provider_info": {""},
    "__init__": set(),
}  # fmt: skip
LIGHT = {"airflow", "httpcore", "httpx", "pytest"}

# Sub-package of scorefile/ -> the modules of other sub-packages that it may import. The modules beside the
# sub-packages (the pipeline and what uses it) may import all of them; no sub-package imports the pipeline.
SCOREFILE: dict[str, set[str]] = {
    "spec": set(),
    # The block type, and the tools that work on whole columns.
    "reading": {"spec", "columns.arrays", "columns.block", "columns.dates", "columns.lookups"},
    "columns": {"spec"},
    "writing": {"spec", "columns.arrays", "columns.batch", "workers"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, type_checking: bool = False) -> list[tuple[str, bool, int]]:
    """Return (what is imported, whether at the top of the module, line), with or without type-checking imports."""
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
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test) and not type_checking:
                for other in child.orelse:
                    visit(other, top)
            else:
                visit(child, top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(tree, True)
    return found


def target(name: str) -> str:
    """Return a part of this package, "" for the version in the root, or another top-level package."""
    if name == NAME or name.startswith(f"{NAME}.__version__"):
        return ""
    if name.startswith(f"{NAME}."):
        return name.split(".")[1]
    return name.split(".")[0]


def is_stdlib(name: str) -> bool:
    import sys

    return name.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_imports_only_what_its_package_may(path: Path):
    own = package_of(path)
    assert own in PACKAGES, (
        f"{own} is not in the import table; a new package needs a reason in docs/explanation/architecture.md"
    )
    for name, _top, line in imports(path):
        if is_stdlib(name):
            continue
        assert target(name) in PACKAGES[own] | {own}, f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_webservice_and_scorefile_are_imported_by_their_init(path: Path):
    for name, _top, line in imports(path):
        for public in ("webservice", "scorefile"):
            inside = name.startswith(f"{NAME}.{public}.")
            assert not inside or package_of(path) == public, f"{path}:{line} imports {name}, not {NAME}.{public}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_where_they_are_used(path: Path):
    for name, top, line in imports(path):
        if top and not is_stdlib(name) and not name.startswith(NAME):
            allowed = name.split(".")[0] in LIGHT and (
                package_of(path) not in ("webservice",) or path.name == "transport.py"
            )
            assert allowed, f"{path}:{line} imports {name} at its top"


def test_each_part_of_scorefile_imports_only_what_it_may():
    for path in modules():
        _, *parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[0] != "scorefile" or len(parts) < 3:
            continue
        for name, _top, line in imports(path, type_checking=True):
            inside = name.removeprefix(f"{NAME}.scorefile.")
            if inside != name and inside.split(".")[0] != parts[1]:
                allowed = SCOREFILE[parts[1]]
                assert inside in allowed or inside.split(".")[0] in allowed, f"{path}:{line} imports {name}"


def test_no_module_imports_itself_through_others():
    """
    Type-checking imports count: a reader meets them as well.
    """
    names = {path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", "."): path for path in modules()}
    graph = {
        name: {each for each, top, _ in imports(path, type_checking=True) if top and each in names and each != name}
        for name, path in names.items()
    }
    # Take away what imports nothing that is left, until nothing changes: cycles remain.
    while free := [name for name, imported in graph.items() if not imported & graph.keys()]:
        for name in free:
            del graph[name]
    while used := [name for name in graph if not any(name in imported for imported in graph.values())]:
        for name in used:
            del graph[name]
    assert not graph, f"import cycle among {sorted(graph)}"


def test_the_architecture_page_shows_the_tree_as_it_is():
    page = (PACKAGE.parent / "docs" / "explanation" / "architecture.md").read_text()
    folders = [path.parent for path in modules() if path.name == "__init__.py" and path.parent != PACKAGE]
    top = {path.name for path in PACKAGE.glob("*.py")}

    assert set(re.findall("── (\\S+)", page)) == {f"{path.name}/" for path in folders} | top
    named = set(re.findall(r"`(\w+/\w+\.py)`", page))
    assert {name for name in named if not any((place / name).exists() for place in PLACES)} == set()


def test_httpx_is_used_in_one_file():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for name, *_ in imports(path)
        if target(name) == "httpx"
    }
    assert users <= {"webservice/transport.py"}


def test_imports_are_found(tmp_path: Path):
    module = tmp_path / "module.py"
    module.write_text("import os\ndef f():\n    from airflow.models import DAG\n")

    assert imports(module) == [("os", True, 1), ("airflow.models", False, 3)]


def test_no_module_is_longer_than_350_lines():
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in modules()}

    assert {name: length for name, length in lengths.items() if length > 350} == {}

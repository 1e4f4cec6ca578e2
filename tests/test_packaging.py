"""The distribution: the wheel, its metadata, what Airflow reads of it, and what no file may contain."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

import airflow_provider_apscores
from airflow_provider_apscores.get_provider_info import get_provider_info

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PACKAGE = "airflow_provider_apscores"
REPOSITORY = PYPROJECT["project"]["urls"]["Source"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="the build backend is not installed here")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def described(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    # The wheel contains the example DAGs of the repository as a folder of the package.
    folders = {PROJECT / PACKAGE: PACKAGE, PROJECT / "example_dags": f"{PACKAGE}/example_dags"}
    source = {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for folder, place in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert f"{PACKAGE}/example_dags/example_apscores.py" in names
    assert {name for name in names if ".dist-info/" not in name} == source
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/cli/__main__.py"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_describes_itself(described: Message):
    assert described["Name"] == "airflow-provider-apscores"
    assert described["Version"] == airflow_provider_apscores.__version__
    assert described["Requires-Python"] == ">=3.11"
    assert described["License-Expression"] == "Apache-2.0"
    assert "make demo" in described.get_payload(), "the README is the long description"
    assert described["Description-Content-Type"] == "text/markdown"


def test_the_links_of_the_readme_work_on_a_package_index(described: Message):
    """
    A package index shows the README without the repository: every link must be absolute, and lead to a file.
    """
    links = re.findall(r"\]\(([^)]+)\)", described.get_payload())
    places = re.compile(rf"{re.escape(REPOSITORY)}/(?:blob|raw)/main/")
    files = [places.sub("", link) for link in links if link.startswith(REPOSITORY)]

    assert [link for link in links if not link.startswith("https://")] == []
    assert len(files) > 10
    assert [name for name in files if not (PROJECT / name).exists()] == []


def test_every_file_names_the_same_repository():
    """
    The public address is not known yet. On release day, this test finds the places that still have the old one.
    """
    named = {
        (path.relative_to(PROJECT).as_posix(), address)
        for path in project_files()
        if path.suffix in {".toml", ".md", ".yml", ".yaml", ".py"} and path.is_file()
        for address in re.findall(r"https://github\.com/[\w.-]+/airflow-provider-apscores", path.read_text())
    }

    assert {address for _, address in named} == {REPOSITORY}, named
    assert {name for name, _ in named} == {"pyproject.toml", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"}


def test_the_forms_for_issues_and_continuous_integration_are_yaml():
    yaml = pytest.importorskip("yaml")
    paths = [PROJECT / ".pre-commit-config.yaml", *(PROJECT / ".github").rglob("*.yml")]
    read = {path.name: yaml.safe_load(path.read_text()) for path in paths}

    assert {"run": ".ci/run", "env": {"PYTHON": "python${{ matrix.python }}"}} in read["ci.yml"]["jobs"]["ci"]["steps"]
    for name in ("bug.yml", "feature.yml", "service_change.yml"):
        assert read[name].keys() >= {"name", "description", "body"}
    for hook in read[".pre-commit-config.yaml"]["repos"][0]["hooks"]:
        assert hook["entry"].removeprefix(".venv/bin/python -m ").split(" --")[0] in (PROJECT / "Makefile").read_text()


def test_it_asks_for_few_packages_at_run_time(described: Message):
    needed = {
        re.split(r"[^A-Za-z0-9._-]", line)[0] for line in described.get_all("Requires-Dist") if "extra ==" not in line
    }

    assert needed == {
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "fsspec",
        "httpcore",
        "httpx",
        "numpy",
        "pendulum",
        "pyarrow",
        "rich",
        "rich-argparse",
    }


@pytest.mark.parametrize("extra", ["postgres", "duckdb", "sqlite"])
def test_the_extra_of_each_database_installs_the_driver_manager_of_adbc(extra: str):
    """Each ADBC driver imports it. The package duckdb has its driver, but does not require the manager."""
    needed = PYPROJECT["project"]["optional-dependencies"][extra]
    names = [re.match(r"[A-Za-z0-9._-]+", line)[0] for line in needed if "providers" not in line]
    for name in names:
        pytest.importorskip(name.replace("-", "_"))
    needed = [*needed, *(line for name in names for line in metadata.requires(name) or [] if "extra ==" not in line)]

    assert any(line.startswith("adbc-driver-manager") for line in needed)


def test_the_wheel_has_the_entry_points_that_airflow_and_pytest_look_for(wheel: zipfile.ZipFile):
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]

    assert "[apache_airflow_provider]" in wheel.read(name).decode()
    assert "[pytest11]\napscores = airflow_provider_apscores.testing.pytest_plugin" in wheel.read(name).decode()
    (point,) = [
        point
        for point in metadata.entry_points(group="apache_airflow_provider")
        if point.dist is not None and point.dist.name == "airflow-provider-apscores"
    ]
    assert point.load()() == get_provider_info()


def test_the_changelog_starts_with_this_version():
    newest = re.search(r"^## \[?([0-9.]+)", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert newest[1] == airflow_provider_apscores.__version__


@pytest.mark.airflow
def test_airflow_accepts_the_provider_info():
    from importlib.resources import files

    import jsonschema

    jsonschema.validate(
        get_provider_info(), json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    )


@pytest.mark.airflow
def test_the_provider_info_is_a_valid_provider_yaml():
    """This schema is stricter: it refuses unknown keys and connection fields."""
    from importlib.resources import files

    import jsonschema

    schema = json.loads(files("airflow").joinpath("provider.yaml.schema.json").read_text())
    if "conn-fields" not in json.dumps(schema):
        pytest.skip("this Airflow's schema is older than the connection fields")
    # Keys that only Airflow's own release tools use.
    written_by_release_tools = {"state": "ready", "source-date-epoch": 0}
    jsonschema.validate(get_provider_info() | written_by_release_tools, schema)


@pytest.mark.airflow
def test_airflow_lists_the_provider():
    from airflow.providers_manager import ProvidersManager

    provider = ProvidersManager().providers["airflow-provider-apscores"]

    assert provider.version == airflow_provider_apscores.__version__
    assert provider.data["name"] == "College Board AP Scores"


@pytest.mark.airflow
def test_importing_operators_sensors_and_hooks_imports_no_other_package():
    """
    Beyond Airflow's SDK, a DAG file imports only modules of the provider. benchmarks/import_time.py measures the time.
    """
    spec = importlib.util.spec_from_file_location("import_time", PROJECT / "benchmarks" / "import_time.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    modules = benchmark.own_modules("operators", "hooks", "sensors")
    code = f"{benchmark.FLOOR}\nimport importlib, sys\nbefore = set(sys.modules)\n"
    code += f"for name in {modules!r}: importlib.import_module(name)\n"
    code += "print(*sorted(set(sys.modules) - before))"

    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    added = printed.splitlines()[-1].split()
    assert f"{PACKAGE}.operators.download" in added
    assert not [
        name
        for name in added
        if not name.startswith(f"{PACKAGE}.") and name != PACKAGE and name.split(".")[0] not in sys.stdlib_module_names
    ]


@pytest.mark.parametrize("file", ["airflow-3.3.txt", "airflow-2.11.txt"])
def test_everything_that_make_installs_is_pinned(file: str):
    makefile = (PROJECT / "Makefile").read_text()
    (groups,) = re.findall(rf"constraints/{file} pyproject.toml\n.*make-venv.sh \S+ \S+ \S+ \$< (.+)", makefile)
    lines = [line for line in (PROJECT / "constraints" / file).read_text().splitlines() if not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    wanted = [
        *PYPROJECT["project"]["dependencies"],
        *(line for group in groups.split() for line in PYPROJECT["dependency-groups"][group]),
    ]

    names = {
        re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", line)[0]).lower()
        for line in [*wanted, *PYPROJECT["build-system"]["requires"], "pip"]
    }
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    assert names <= pinned
    assert pins["apache-airflow"].startswith(file.removeprefix("airflow-").removesuffix("txt"))


def project_files() -> list[Path]:
    """Return the files that git tracks; in an unpacked source archive, all files."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [PROJECT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in PROJECT.rglob("*") if path.is_file() and ".venv" not in path.parts]


def test_no_file_names_a_package_index_or_a_path_of_a_machine():
    index = rb"index[-_]url|find[-_]links|://[^\s\"'<>]*/simple\b|pypi\.org/simple"
    machine = rb"(?<![\w.}/-])/(?:root|work|home/[a-z]|Users/[A-Za-z])/?"
    forbidden = re.compile(b"|".join((index, machine)))
    found = {
        f"{path.relative_to(PROJECT)}: {match[0].decode()}"
        for path in project_files()
        if path != Path(__file__) and path.is_file()
        for match in forbidden.finditer(path.read_bytes())
    }

    assert forbidden.search(b"--index-url x")
    assert forbidden.search(b"see /" + b"root/x")
    assert not found

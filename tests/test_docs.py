"""The documentation is complete, and its code works.

A code block after ``<!-- test: run -->`` runs as a program against a sandbox. One after ``<!-- test: dag ID -->`` is a
DAG file that Airflow runs. One after ``<!-- test: connection -->`` is read as a connection. ``sql``, ``code-map`` and
``tables`` run in ``tests/scores``, ``pytest FILE`` in ``tests/provider/test_testing_kit.py``. All others are compiled.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_apscores import errors
from airflow_provider_apscores.get_provider_info import connection_type, get_provider_info
from airflow_provider_apscores.hooks.connection import read_connection
from airflow_provider_apscores.sandbox import Sandbox
from tests.provider.airflow_command import airflow_command

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
EXAMPLES = sorted((PROJECT / "example_dags").glob("*.py"))
PAGES = [
    *(PROJECT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts),
]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with its first line."""

    page: Path
    line: int
    language: str
    code: str
    test: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    fence = re.compile(
        r"(?:^<!-- test: (?P<test>.*?) -->\n+)?^(?P<fence>```+)(?P<language>\S*)[^\n]*\n(?P<code>.*?)^(?P=fence)\s*$",
        re.M | re.S,
    )
    for found in fence.finditer(text):
        line = text.count("\n", 0, found.start("fence")) + 1
        yield Block(page, line, found["language"], found["code"], found["test"] or "")


BLOCKS = [block for page in PAGES for block in blocks(page)]
MARKED = [block for block in BLOCKS if block.test]


def marked(test: str) -> list[Block]:
    return [block for block in MARKED if block.test.split()[0] == test]


def page(name: str) -> str:
    return (DOCS / name).read_text()


def table_rows(text: str) -> dict[str, list[str]]:
    """Return the rows of all Markdown tables by their first cell, without backticks."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.lstrip().startswith("|")]
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in rows}


def operators() -> list[type]:
    import importlib

    found = []
    for kind in ("operators", "sensors"):
        for group in get_provider_info().get(kind, []):
            for name in group["python-modules"]:
                module = importlib.import_module(name)
                found += [
                    value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == name
                ]
    return found


# Completeness


@pytest.mark.parametrize("operator", operators(), ids=lambda operator: operator.__name__)
def test_every_argument_of_an_operator_is_documented(operator: type):
    described = dict(re.findall(r":param (\w+):(.*?)(?=\n\s*:|\Z)", operator.__doc__ or "", re.S))
    arguments = [
        name for name in inspect.signature(operator.__init__).parameters if name not in ("self", "args", "kwargs")
    ]

    assert set(arguments) <= set(described)
    assert set(described) <= {name for each in operator.__mro__ for name in inspect.signature(each.__init__).parameters}
    documented = {name for name, text in described.items() if "(templated)" in text}
    assert documented == {name for name in arguments if is_templated(operator, name)}


def is_templated(operator: type, argument: str) -> bool:
    """Return whether the value of *argument* becomes a template field, which may have another name."""
    parameters = inspect.signature(operator.__init__).parameters.values()
    needed = {
        each.name: "needed" for each in parameters if each.kind is each.KEYWORD_ONLY and each.default is each.empty
    }
    try:
        task = operator(task_id="task", **needed | {argument: "{{ mark }}"})
    except (
        TypeError,
        ValueError,
        errors.ConfigurationError,
    ):  # checked when the DAG is parsed, so it cannot be a template
        return False
    return any(getattr(task, field) == "{{ mark }}" for field in operator.template_fields)


@pytest.mark.parametrize("operator", operators(), ids=lambda operator: operator.__name__)
def test_every_operator_is_in_the_reference(operator: type):
    reference = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))

    assert f"autoclass:: {operator.__module__}.{operator.__name__}\n" in reference


def test_the_reference_in_xcom_is_documented():
    from airflow_provider_apscores.delivery import Delivery

    source = inspect.getsource(Delivery.reference)
    keys = re.findall(r'^\s+"(\w+)":', source, re.M)

    assert len(keys) > 10
    assert set(keys) <= set(table_rows(page("reference/operators.md")))


def test_every_error_is_documented_as_transient_or_not():
    rows = table_rows(page("reference/errors.md"))
    classes = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]
    parents = {parent for each in classes for parent in each.__mro__ if parent is not each}

    for each in classes:
        if each.__name__ in rows:
            assert rows[each.__name__][0] == ("yes" if each.transient else "no"), each
        else:
            assert each in parents, f"{each.__name__} is missing in docs/reference/errors.md"
            assert each.__name__ in page("reference/errors.md")


def test_every_field_of_the_connection_is_documented():
    rows = table_rows(page("reference/connection.md"))
    form = connection_type()

    for name, field in form["conn-fields"].items():
        label, meaning, default = rows[name]
        assert label == field["label"]
        assert meaning
        if "default" in field["schema"]:
            assert default == f"`{field['schema']['default']}`"
    for name, label in form["ui-field-behaviour"]["relabeling"].items():
        assert rows[name][0] == label
    for name in form["ui-field-behaviour"]["hidden-fields"]:
        assert rows[name][0] == "hidden"


def test_every_option_of_the_configuration_is_documented():
    text = page("reference/operators.md")

    for section, content in get_provider_info()["config"].items():
        for option in content["options"]:
            assert f"| `{section}` | `{option}` |" in text


def test_every_column_of_the_tables_is_documented():
    from airflow_provider_apscores.scorefile import read_score_file

    tables = page("reference/tables.md")
    sample = read_score_file(sample_file())
    missing = {
        f"{name}.{column}"
        for name in ("students", "exam_scores", "awards", "problems")
        for column in getattr(sample, name).column_names
        if f"`{column}`" not in tables
    }
    assert not missing


def sample_file() -> bytes:
    from airflow_provider_apscores.scorefile import encode_record

    return encode_record({"ap_id": "FK000001", "college_code": "004866"}) + b"\n"


# References to files and commands


def test_commands_and_files_that_pages_name_exist():
    targets = set(re.findall(r"^([\w.-]+):", (PROJECT / "Makefile").read_text(), re.M))
    text = {page: page.read_text() for page in PAGES}
    created = {block.test.split()[-1] for block in MARKED}  # files that the reader writes

    for path, content in text.items():
        shell = "\n".join(block.code for block in blocks(path) if block.language in ("sh", "console"))
        named = re.findall(r"^(?:\$ )?make ((?:[\w.=-]+ ?)+)", shell, re.M) + re.findall(r"`make ([\w.=-]+)`", content)
        for goals in named:
            for goal in goals.split():
                assert goal in targets or "=" in goal, f"{path.name}: make {goal}"
        for module in re.findall(r"python -m (airflow_provider_apscores[\w.]*)", content):
            place = PROJECT / module.replace(".", "/")
            assert (place / "__main__.py").exists() or place.with_suffix(".py").exists(), f"{path.name}: {module}"
        for name in re.findall(r"\b((?:tools|example_dags|benchmarks|tests|constraints)/[\w/.-]*\w\.\w+)", content):
            assert (PROJECT / name).exists() or name in created, f"{path.name}: {name}"


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in ("sh", "console")], ids=str)
def test_what_is_copied_has_no_prompt(block: Block):
    """
    Commands alone are ``sh`` without a prompt. Where output follows, it is ``console``: the copy button takes the
    commands without their prompt.
    """
    lines = [line for line in block.code.replace("\\\n", "").splitlines() if line.strip()]
    prompts = [line for line in lines if line.lstrip().startswith("$ ")]

    assert not prompts if block.language == "sh" else 0 < len(prompts) < len(lines)


def test_links_of_the_pages_outside_the_docs_are_valid():
    for path in (path for path in PAGES if path.parent == PROJECT):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (PROJECT / link).exists(), f"{path.name}: {link}"


def test_no_page_installs_a_package_that_is_not_published():
    """
    On release day the comment RELEASE DAY in the README and this test go.
    """
    texts = {path: re.sub("<!--.*?-->", "", path.read_text(), flags=re.S) for path in PAGES}
    found = {path.name for path, text in texts.items() if re.search(r"pip install '?airflow-provider-apscores", text)}

    assert found == set()
    assert "RELEASE DAY" in (PROJECT / "README.md").read_text()


def test_the_readme_shows_real_output_early():
    lines = (PROJECT / "README.md").read_text().splitlines()
    place = next(number for number, line in enumerate(lines, 1) if "student records" in line)

    assert place <= 40


# Code


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "python"], ids=str)
def test_python_compiles(block: Block):
    compile(block.code, str(block), "exec")


CODE = {str(block): block.code for block in BLOCKS} | {path.name: path.read_text() for path in EXAMPLES}
DAGS = {name: code for name, code in CODE.items() if re.search(r"\bDAG\(", code)}


@pytest.mark.parametrize("name", DAGS)
def test_every_dag_retries(name: str):
    """
    A task that is killed after its record is completed by the next try; without one, it must be cleared.
    """
    assert re.search(r"default_args=\{\"retries\": [1-9]", DAGS[name])


def test_no_dag_takes_retries_from_a_task():
    """
    Permanent errors fail permanently by themselves. A task without retries also loses its run to a server that starts.
    """
    assert [name for name, code in CODE.items() if re.search(r"\bretries\W{0,3}[=:]\s*0", code)] == []


def test_the_trigger_form_asks_for_no_parameter_that_may_be_empty():
    """
    Airflow's form marks every parameter as required whose type does not include null (apache/airflow#31014).
    """
    parameters = [found for text in CODE.values() for found in re.findall(r"\bParam\((.*?)\n\s*\)", text, re.S)]

    assert parameters
    assert [each for each in parameters if re.search("empty|optional", each) and '"null"' not in each] == []


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "json"], ids=str)
def test_json_is_json(block: Block):
    json.loads(block.code)


@pytest.mark.parametrize("block", marked("connection"), ids=str)
def test_connections_can_be_read(block: Block):
    fields = json.loads(block.code)

    assert fields.pop("conn_type") == connection_type()["connection-type"]
    assert read_connection(**fields).di_codes == ("4866", "0417")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an Airflow home with the DAGs of the pages."""
    home = tmp_path_factory.mktemp("documented")
    (home / "dags").mkdir()
    for block in marked("dag"):
        (home / "dags" / f"{block.test.split()[1]}.py").write_text(block.code)
    return home


def run(home: Path, sandbox: Sandbox, *command: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_APSCORES_DEFAULT": sandbox.airflow_connection,
    }
    done = subprocess.run([sys.executable, *command], cwd=home, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_dag_files_are_read(home: Path, sandbox: Sandbox):
    run(
        home,
        sandbox,
        "-c",
        "import pathlib, runpy\nfor path in pathlib.Path('dags').iterdir(): runpy.run_path(str(path))",
    )


def test_the_tutorial_works(home: Path, sandbox: Sandbox):
    with airflow_command(home, {"AIRFLOW_CONN_APSCORES_DEFAULT": sandbox.airflow_connection}) as airflow:
        airflow.run("dags", "test", "ap_scores")
        for block in marked("run"):
            if block.page.name == "tutorial.md":
                assert "exam_title" in run(home, sandbox, "-c", block.code)
        again = airflow.run("dags", "test", "ap_scores")
        airflow.run("dags", "test", "ap_scores_all")

    assert len(list((home / "data" / "files" / "9120").glob("*/scores-*.txt"))) == 1, again[-2000:]
    assert sandbox.audit().recorded_reports == sandbox.audit().all_reports
    landed = {path.name.partition("-")[0] for path in (home / "data" / "tables" / "students").iterdir()}
    assert landed == {"0901", "9120", "9245"}


@pytest.mark.parametrize("block", [each for each in marked("run") if each.page.name != "tutorial.md"], ids=str)
def test_snippets_run(block: Block, home: Path, sandbox: Sandbox):
    run(home, sandbox, "-c", block.code)


def test_every_mark_is_understood():
    assert {block.test.split()[0] for block in MARKED} == {
        "run", "dag", "connection", "sql", "code-map", "pytest", "tables",
    }  # fmt: skip
    assert BLOCKS
    assert len(MARKED) == sum(page.read_text().count("<!-- test:") for page in PAGES), "a mark is not before a block"

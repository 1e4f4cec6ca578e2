# All targets use virtual environments inside this folder (.venv, .venv-2.11) and install nothing elsewhere.
# pip's own configuration (index, proxy, certificates) applies.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-ui demo-clean test test-3.3 test-2.11 lint format docs bench wheel clean

ARGS ?=
DIST ?= dist

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHON

help:
	@echo 'make demo        run the example DAG against the sandbox, in Airflow 3.3, and show the tables'
	@echo 'make demo-ui     the same, and keep Airflow running: it prints the address of the page AP Scores'
	@echo 'make demo-clean  delete the results of the demo'
	@echo 'make test        run all tests on Airflow 3.3, then the Airflow tests on 2.11'
	@echo 'make test-3.3    run one of the two; ARGS="-k download" passes options to pytest'
	@echo 'make test-2.11   run the other; needs Python 3.11 or 3.12'
	@echo 'make lint        run ruff and mypy'
	@echo 'make format      format the code with ruff'
	@echo 'make docs        build the documentation into docs/_build/html; fail on warnings'
	@echo 'make bench       measure the import time of the provider'
	@echo 'make wheel       build the wheel and the source archive into dist/'
	@echo 'make clean       delete everything that make created'

demo: .venv/.ready
	@.venv/bin/python tools/demo.py

demo-ui: .venv/.ready
	@.venv/bin/python tools/demo.py --ui

demo-clean:
	rm -rf .demo

test: test-3.3 test-2.11

test-3.3: .venv/.ready
	.venv/bin/python -m pytest $(ARGS)

# Airflow 2.11 does not run on Python 3.13; without an older Python the other tests still run.
test-2.11:
	@if tools/find-python.sh 3.11 3.12 >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory .venv-2.11/.ready && \
	    echo '.venv-2.11/bin/python -m pytest -m airflow $(ARGS)' && \
	    .venv-2.11/bin/python -m pytest -m airflow $(ARGS); \
	else \
	    echo '*** SKIPPED: the tests on Airflow 2.11. They need Python 3.11 or 3.12 with the venv module. ***'; \
	fi

lint: .venv/.ready
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

format: .venv/.ready
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

docs: .venv/.ready
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo 'docs/_build/html/index.html'

bench: .venv/.ready
	.venv/bin/python benchmarks/import_time.py

wheel: .venv/.ready
	.venv/bin/python -m hatchling build -d $(DIST)

clean: demo-clean
	rm -rf .tutorial .venv .venv-2.11 dist build docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# .ready is as new as the last installation: changed pins or metadata install again.
# --group needs a recent pip, so pip is upgraded first.
.venv/.ready: constraints/airflow-3.3.txt pyproject.toml
	@tools/make-venv.sh .venv 3.11 3.14 $< test stores databases lint docs

.venv-2.11/.ready: constraints/airflow-2.11.txt pyproject.toml
	@tools/make-venv.sh .venv-2.11 3.11 3.12 $< test databases

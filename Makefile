# Two commands do it all: `make run` starts the service, `make test` proves it.
# Needed: Python 3.11 or later, and make. Everything else goes into .venv.

VENV ?= .venv
CONFIG ?= config
WORKERS ?= 3
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Tests start hundreds of processes: each is quicker where compiled modules are kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo check test test-fast chaos faults lint format docs lock sbom clean dist-clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' \
	| while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

run: $(VENV)/.installed ## start the service (configuration in config/, data in data/)
	@$(BIN)/wirewatch run --config $(CONFIG)

demo: $(VENV)/.installed ## half a minute of made-up news, no network needed
	@$(BIN)/wirewatch demo

check: $(VENV)/.installed ## check the configuration and say what is wrong, and where
	@$(BIN)/wirewatch check --config $(CONFIG)

# Two workers: a third costs more to start than it saves.
test-fast: $(VENV)/.installed-dev ## run the quick tests: no kills, containers, browsers or documents
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test: $(VENV)/.installed-dev ## run the tests, three files at a time (WORKERS=4: four)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

chaos: $(VENV)/.installed-dev ## kill everything, again and again, and count (about ten minutes)
	@$(BIN)/python -m tests.chaos.harness

faults: $(VENV)/.installed-dev ## one fault after another, and what each cost (about half an hour)
	@$(BIN)/python -m tests.chaos.faults

lint: $(VENV)/.installed-dev ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.installed-dev ## put the code into its one style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(VENV)/.installed-dev ## renew the pages and files that are made from the code
	@$(BIN)/python docs/generate.py

lock: ## write the lock files anew, with the newest versions that fit
	@deploy/lock.sh

sbom: $(VENV)/.installed ## list every package in use in build/sbom.json (CycloneDX)
	@mkdir -p build && $(BIN)/python -m venv build/sbom-tool
	@build/sbom-tool/bin/pip install -q --disable-pip-version-check cyclonedx-bom
	@build/sbom-tool/bin/cyclonedx-py environment $(BIN)/python --of JSON -o build/sbom.json
	@echo "build/sbom.json"

clean: ## remove caches and builds (the data stays)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

dist-clean: clean ## remove the environment as well
	@rm -rf $(VENV)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and was not found."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Could not make $(VENV). On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# The stamps are as new as what they were made from: a second start installs nothing.
# Packages come in the versions and with the hashes of the lock files; `make lock` renews those. A
# dependency that was added since is still installed, with our own package.
LOCKED := install -q --no-deps --require-hashes -r
OURS := install -q --no-build-isolation -e .

$(VENV)/.installed: pyproject.toml requirements.lock deploy/install-torch.sh | $(BIN)/python
	@echo "Installing into $(VENV); the first time this takes a minute or two ..."
	@deploy/install-torch.sh $(BIN)/python
	@$(PIP) $(LOCKED) requirements.lock
	@$(PIP) $(OURS)
	@$(BIN)/python -m monitor.models.base > /dev/null
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements-dev.lock | $(VENV)/.installed
	@$(PIP) $(LOCKED) requirements-dev.lock
	@touch $@

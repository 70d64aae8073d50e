# Everything runs in .venv, which the first target that needs it makes. See `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
SCENARIO ?= specs/scenarios/black_thursday.yaml
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
LOCKFLAGS ?=

.PHONY: help demo dev test test-deep lint bench lock clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/.runtime ## Replay a real crash on the model and on the contracts, compared after every action
	@SECONDS=0; $(BIN)/crossmargin replay $(SCENARIO) --engine lockstep && \
	echo "demo took $$SECONDS s after installing"

dev: .venv/.dev ## Install what developing needs: test tools, pyrevm, anvil

# Tests of a file stay on one worker and share what it sets up; one that has nothing left takes from the other's end.
PYTEST = $(BIN)/pytest -n 2 --dist worksteal -q

# Without stored bytecode every worker would rewrite all assertions, and every command line compile its imports anew.
test test-deep: export PYTHONDONTWRITEBYTECODE :=

test: .venv/.dev ## Run the tests, without the long ones
	@$(PYTEST) -m "not deep"

test-deep: .venv/.dev ## Run the long tests
	@$(PYTEST) -m deep

lint: .venv/.dev ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.dev ## Measure speed and gas
	@$(BIN)/python -m benchmarks

lock: .venv/.uv ## Lock the requirements again after a change of pyproject.toml (LOCKFLAGS=--upgrade: newest versions)
	@$(LOCK) $(LOCKFLAGS) --group bootstrap -o requirements/bootstrap.txt >/dev/null
	@$(LOCK) $(LOCKFLAGS) pyproject.toml --group build -o requirements/runtime.txt >/dev/null
	@$(LOCK) $(LOCKFLAGS) pyproject.toml --group build --group dev -c requirements/runtime.txt \
	  -o requirements/dev.txt >/dev/null
	@grep -c == requirements/*.txt

clean: ## Remove the environment, run folders and the caches in this folder
	rm -rf .venv out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up --------------------------------------------------------------------------------------------------------
#
# Three stamps: uv, from a hash-locked file by pip; what running needs; what developing needs besides. Each command
# stops at a failure by itself, so that a make too old for .SHELLFLAGS does not touch a stamp after a failed install.

# An environment remembers absolute paths: in a copied or moved checkout it would run the other one's code.
ifneq ($(filter-out $(CURDIR),$(shell cat .venv/.place 2>/dev/null)),)
.venv/.uv: FORCE
endif

.venv/.uv: requirements/bootstrap.txt
	@$(CHECK_PYTHON)
	@$(CHECK_VENV)
	@echo "set-up: making .venv with $$("$(PYTHON)" --version)"
	@SECONDS=0; rm -rf .venv && "$(PYTHON)" -m venv .venv && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt && \
	printf '%s\n' "$(CURDIR)" > .venv/.place && touch $@ && echo "set-up: done in $$SECONDS s"

.venv/.runtime: .venv/.uv requirements/runtime.txt pyproject.toml
	@echo "set-up: installing what running needs"
	@$(call SYNC,requirements/runtime.txt) && touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@echo "set-up: installing what testing needs"
	@$(call SYNC,requirements/dev.txt) && $(ANVIL) && touch $@

# Exactly what the file locks, and this checkout over it. The build backend is among the locked packages.
SYNC = SECONDS=0; \
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(1) && \
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . && \
	echo "set-up: done in $$SECONDS s"

# A second chain for the tests of the URL backend. Without npm they are skipped, and say so.
ANVIL = if command -v npm >/dev/null; then \
	  npm install --silent --no-save --prefix .venv/anvil @foundry-rs/anvil@1.7.1 >/dev/null || \
	  echo "set-up: npm could not install anvil; the tests that need it will be skipped"; \
	fi

define CHECK_PYTHON
	command -v "$(PYTHON)" >/dev/null || { \
	  echo "Python 3.11 or newer is needed, and there is no '$(PYTHON)' here." >&2; \
	  echo "Install one, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1)." >&2; \
	  echo "Install a newer one, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
endef

# Debian keeps ensurepip, without which venv makes no pip, in a package of its own.
VENV_PACKAGE = $(notdir $(PYTHON))-venv
define CHECK_VENV
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  command -v apt-get >/dev/null || { \
	    echo "'$(PYTHON)' has no venv and ensurepip: install them the way your system does." >&2; exit 1; }; \
	  if [ "$$(id -u)" = 0 ]; then as_root=env; \
	  elif sudo -n true 2>/dev/null; then as_root="sudo env"; \
	  else \
	    echo "'$(PYTHON)' has no ensurepip, so it cannot make .venv. Run this once as root, then make again:" >&2; \
	    echo "  apt-get install $(VENV_PACKAGE)" >&2; exit 1; \
	  fi; \
	  echo "set-up: installing $(VENV_PACKAGE)"; \
	  { $$as_root apt-get -qq update && \
	    $$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
	      -o Dpkg::Use-Pty=0 $(VENV_PACKAGE) >/dev/null; } || { \
	    echo "Could not install $(VENV_PACKAGE); without it '$(PYTHON)' makes no environment." >&2; exit 1; }; \
	}
endef

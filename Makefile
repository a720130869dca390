# Every target works as the first command in a fresh clone: it makes .venv from the lock.
# Needs make, Python 3.11 or newer and a POSIX shell (on Windows, the one that git brings).

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# Set PYTHON to choose the interpreter; otherwise the newest one that fits.
PYTHON_CANDIDATES := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3 python)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup

UV_VERSION := 0.13.9
# Locked versions stay as they are; `make lock LOCK_FLAGS=--upgrade` takes the newest.
LOCK_FLAGS :=
COMPILE := $(BIN)/python -m uv --no-config --quiet pip compile --universal --generate-hashes \
	--python-version 3.11 --no-annotate --custom-compile-command "make lock" $(LOCK_FLAGS)

.PHONY: help demo test thorough nightly coverage check readme docs bench bundle lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target text; do printf '  %-14s %s\n' "$$target" "$$text"; done

demo: .venv/.runtime ## a tour on the embedded sandbox; no account needed
	@$(BIN)/losant-mcp demo

test: .venv/.dev ## run the tests
	@$(PYTEST) $(ARGS)

thorough: .venv/.dev ## run what takes minutes: faults, fuzzing, hostile data, replicas, packaging
	@$(PYTEST) -m "thorough and not nightly" $(ARGS)

nightly: .venv/.dev ## run all tests, those of hours of traffic included
	@$(PYTEST) -m "nightly or not nightly" $(ARGS)

coverage: .venv/.dev ## run all but the nightly tests, and say which branches none of them takes
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest -n auto --dist loadgroup -m "not nightly" $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

check: .venv/.dev ## lint, formatting, types
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy

readme: .venv/.dev ## write the generated parts of the README and docs/ anew
	@$(BIN)/python -m tests.documents

docs: .venv/.dev ## build the documentation into build/docs
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "build/docs/index.html"

bench: .venv/.dev ## measure and print the figures
	@$(BIN)/python -m benchmarks $(ARGS)

bundle: .venv/.dev ## build the bundle for Claude Desktop, dist/*.mcpb
	@rm -rf build/bundle
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/bundle . > /dev/null
	@$(BIN)/python packaging/mcpb/bundle.py build/bundle/*.whl dist

# The development lock comes first, and the others take its versions, so that all of them
# agree and can be installed into one environment.
lock: .venv/.python ## pin every dependency with hashes
	@$(PIP) install uv==$(UV_VERSION)
	@$(COMPILE) --output-file requirements-dev.lock --group dev pyproject.toml > /dev/null
	@$(COMPILE) --output-file requirements.lock --constraints requirements-dev.lock \
		pyproject.toml > /dev/null
	@$(COMPILE) --output-file requirements-server.lock --constraints requirements-dev.lock \
		--extra http --extra otel --extra redis pyproject.toml > /dev/null
	@$(COMPILE) --output-file requirements-build.lock --constraints requirements-dev.lock \
		--group pyproject.toml:build > /dev/null
	@if grep -nE '://|^-|(^|[ #])/' requirements*.lock; then \
		echo "make lock: a lock names a host, a path or an index." >&2; exit 1; fi

clean: ## remove the environment and everything generated
	rm -rf .venv build dist htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find losant_mcp tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. The demo needs no development tool, so it installs a quarter of the packages.

.venv/.python:
	@python=; \
	for candidate in $(PYTHON_CANDIDATES); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
		then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "losant-mcp needs Python 3.11 or newer; tried: $(PYTHON_CANDIDATES)." >&2; \
		echo "Install one from python.org or your system's packages, or set PYTHON=..." >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
		echo "$$python cannot make virtual environments: its venv module is missing." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	fi; \
	echo "Making .venv with $$("$$python" --version)"; \
	"$$python" -m venv .venv
	@touch $@

.venv/.runtime: .venv/.python requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing losant-mcp into .venv"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.python requirements-dev.lock pyproject.toml
	@echo "Installing losant-mcp and the development tools into .venv"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/.runtime $@

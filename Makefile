# make dev     set everything up and talk to examples/basic        make test    set up, run all tests
# make check   lint, types, import rules                           make bench   the table of docs/benchmarks.md
# make cluster-up   a Kubernetes to try things on: eval "$(make -s cluster-up)"             make cluster-down
# make cluster-load images of flora into it       make wheel   what the images install, in dist/
# make bench-cluster  the operator's rows of the table, on a control plane of its own
# make setup   virtual environment, locked dependencies, SDK       make lock    renew requirements.lock
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin

.PHONY: dev test check bench bench-cluster setup lock sdk wheel clean cluster-up cluster-down cluster-load
dev: setup
	$(BIN)/flora dev examples/basic

test: setup
	$(BIN)/pytest $(PYTEST) $(TESTS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright
	cd sdk && $(NPM) run --silent check

bench: setup
	$(BIN)/python -m bench $(ONLY)

bench-cluster: setup
	$(BIN)/python -m bench.cluster $(ONLY)

cluster-up cluster-down: .venv/.ready
	@$(BIN)/python -m cluster $(@:cluster-%=%)

cluster-load: setup
	@$(BIN)/python -m cluster images

wheel: setup
	@$(BIN)/python -m cluster.wheel

setup: .venv/.ready sdk/flora_sdk/data/.ready

.venv/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# npm: the machine's own, or else the one of the Node wheel that basedpyright brings along.
NPM := $(shell command -v npm || echo "$(CURDIR)/$(BIN)/python $(CURDIR)/tools/npm.py")

sdk: sdk/flora_sdk/data/.ready
sdk/node_modules/.ready: sdk/package-lock.json | .venv/.ready
	cd sdk && $(NPM) ci --silent --no-fund --no-audit
	touch $@
sdk/flora_sdk/data/.ready: sdk/node_modules/.ready $(wildcard sdk/*.mjs) $(shell find sdk/src sdk/types -type f 2>/dev/null)
	cd sdk && $(NPM) run --silent build
	touch $@

lock:
	$(BIN)/uv pip compile pyproject.toml --extra contrib --generate-hashes --universal \
		--python-version 3.11 --no-header --quiet --upgrade -o requirements.lock

clean:
	rm -rf .venv sdk/node_modules sdk/flora_sdk/data .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The commands of the project; `make` alone lists them.
PYTHON ?= python3
TORCH ?= default
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
# a file's tests stay together, for they share what was costly to start
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# without a GPU PyTorch's CPU build is a sixth of the size; its index is not the package index
ifeq ($(TORCH),cpu)
PIP_INDEX := --extra-index-url https://download.pytorch.org/whl/cpu
UV_INDEX := --torch-backend cpu
endif
PINNED := -c deploy/constraints.txt
EXTRAS := [demo,fast,train,test]

.DEFAULT_GOAL := help
.PHONY: help install system demo test lint unit conformance viewer bench faults power fuzz associations lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: .venv/.installed ## make .venv with everything pinned (TORCH=cpu: PyTorch's small CPU build)

.venv/.installed: pyproject.toml deploy/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "mammonode needs Python 3.11, 3.12 or 3.13; $(PYTHON) is another. Use: make install PYTHON=python3.12" >&2; exit 1; }
	@PYTHON=$(PYTHON) deploy/system.sh venv
	@echo "Installing into .venv: a download of about $(if $(PIP_INDEX),0.6,3.2) GB ($(if $(PIP_INDEX),1.8,7) GB on disk)."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PINNED) uv
	@# uv does not read pip's configuration: where only that names a package index, pip does the work
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(UV_INDEX) $(PINNED) -e '.$(EXTRAS)' || \
	  $(BIN)/python -m pip install --quiet $(PIP_INDEX) $(PINNED) -e '.$(EXTRAS)'
	@touch $@

system: ## install what the tests need from the system: dcmtk, Orthanc, validators, Chromium, PostgreSQL
	@deploy/system.sh test

demo: install ## a four-view study goes in, SR and SEG come back; nothing else is needed
	$(BIN)/mammonode demo

lint: install ## formatting, lint, types and the doors between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install system ## the tests without the validators' campaign
	$(PYTEST)

conformance: install system ## every object, every case, before the real validators
	$(PYTEST) -m conformance tests/conformance

viewer: install system ## OHIF in headless Chromium over Orthanc, and its adapters in Node
	$(PYTEST) -m viewer tests/conformance

test: install system lint ## everything that CI runs (WORKERS=2 processes side by side)
	$(PYTEST) -m alone $$(grep -rl --include='test_*.py' 'mark\.alone' tests)
	$(PYTEST) -m "not alone and not faults and not gpu" $(SIDE_BY_SIDE)

bench: install system ## speed, each row beside its baseline; writes bench.json
	$(BIN)/python -m tests.benchmarks

faults: install system ## kills of every process at random moments (KILLS=100)
	$(BIN)/python -m tests.faults

power: install system ## the node's disk full, read-only, and without power at random moments (CUTS=20); needs root
	$(PYTEST) -m "disks or faults" tests/scp tests/end_to_end
	$(BIN)/python -m tests.faults.power
	$(BIN)/python -m tests.faults.unsynced_campaign

associations: install ## 10,000 associations, a tenth of them hostile, then 50 senders at once: no leak, no loss
	$(BIN)/python tests/scp/campaign_associations.py
	$(BIN)/python tests/scp/campaign_senders.py

fuzz: install ## coverage-guided fuzzing of PDUs, conversations, data sets and images (SECONDS=600 each)
	$(BIN)/python -m pip install --quiet $(PINNED) -e '.[fuzz]'
	for target in association conversation data_set image; do $(BIN)/python tests/fuzz $$target $(or $(SECONDS),600) || exit 1; done

lock: install ## resolve the pinned versions again
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --no-emit-package mammonode --no-header -q \
	  pyproject.toml -o deploy/constraints.txt

clean: ## remove what the commands made
	rm -rf .venv build demo-output bench.json .mypy_cache .ruff_cache .pytest_cache

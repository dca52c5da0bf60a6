# railbed: `make up` builds, configures and certifies a cluster on this machine; `make test` runs every test tier.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup up preview destroy validate test unit lint lab machines bench qualify gpu lab-long clean-cache

STACK ?= lab
export STACK
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/.railbed/uv/bin:$(PATH)
UV := .railbed/uv/bin/uv
RAILBED := .venv/bin/railbed

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV): tools/uv-requirements.txt
	@python3 -m venv .railbed/uv
	@.railbed/uv/bin/python -m pip install --quiet --require-hashes -r tools/uv-requirements.txt
	@touch $@

.venv/.synced: uv.lock pyproject.toml $(UV)
	@UV_COMPILE_BYTECODE=$(if $(wildcard .venv/.clouds),0,1) $(UV) sync --frozen --quiet --inexact --extra kubernetes --extra report
	@touch $@

# The clouds' SDKs and emulators are for the tests: no bytecode ahead, since a run touches a few of their thousands of modules.
.venv/.clouds: .venv/.synced
	@UV_COMPILE_BYTECODE=0 $(UV) sync --frozen --quiet --inexact --all-extras --group emulators
	@touch $@

setup: .venv/.synced ## install uv, the Python environment, host tools and the Pulumi engine
	@$(RAILBED) setup --stack "$$STACK"

up: .venv/.synced ## build, configure and validate the cluster; again: mend drift or change nothing
	@$(RAILBED) up --stack "$$STACK"

preview: .venv/.synced ## show what `make up` would change
	@$(RAILBED) preview --stack "$$STACK"

validate: .venv/.synced ## run the full validation again
	@$(RAILBED) validate --stack "$$STACK"

destroy: .venv/.synced ## remove the cluster: hosts, networks, processes, disks (the archive stays)
	@$(RAILBED) destroy --stack "$$STACK" --yes

test: .venv/.clouds ## run every test tier, on stacks of its own
	@.venv/bin/python tests/run.py

unit: .venv/.clouds ## run the pure tests only
	@.venv/bin/python -m pytest -q tests/unit

lint: .venv/.clouds ## ruff, mypy, layers, ansible-lint, shellcheck
	@.venv/bin/python tests/run.py lint

lab: .venv/.clouds ## run the lab tier only (root; boots stacks of its own)
	@.venv/bin/python tests/run.py lab

lab-long: .venv/.clouds ## run all tests of the lab tier, also those that `make test` has no time for (root)
	@.venv/bin/python tests/run.py lab-long

machines: .venv/.clouds ## run the tier on virtual machines only (root, QEMU)
	@.venv/bin/python tests/run.py machines

qualify: .venv/.clouds ## run one part of the qualification (root; PART=faults-1|…|faults-4|jobs|soak|healthy|machines|metal; up to an hour)
	@PYTHONPATH=. .venv/bin/python -m tests.qualify.run "$(PART)" $(if $(MINUTES),--minutes $(MINUTES))

gpu: .venv/.clouds ## run on this machine's GPUs what nodes are asked, and keep the outputs (exits 3 without a GPU; PYTHON with PyTorch)
	@PYTHONPATH=. .venv/bin/python -m tests.gpu.run --python "$${PYTHON:-python3}"

bench: .venv/.clouds ## measure the lab: rails, collectives, spread, bring-up by stage
	@.venv/bin/python benchmarks/lab.py

clean-cache: ## remove the caches (engine, image, packages, training stack)
	@rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/railbed"

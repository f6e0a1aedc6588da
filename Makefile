# One command each, on a fresh machine: everything is installed into .venv, and nothing is asked of the network again
# until what must be installed changes.
#
#   PYTHON=python3.12 make test      another interpreter (3.10 or newer) for a new .venv
#   MUJOCO_GL=osmesa make demo       another way of drawing without a screen
#   PYTEST_ARGS="-k warp" make test  only some tests

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
OUT ?= out/demo
PYTEST_ARGS ?=
EVIDENCE_ARGS ?=
RUN := .venv/bin/python
# Drawing is chosen when the recipe runs, because `gl` writes the file.
GL = MUJOCO_GL=$${MUJOCO_GL:-$$(cat .venv/.gl 2>/dev/null || echo egl)}

# One core for each process: figures stay comparable, and parallel work does not fight over cores.
export OMP_NUM_THREADS := 1
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help demo test lint evidence clean install-sim install-test install-evidence install-rtx gl

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 18

demo: install-demo gl  ## a simulated robot camera over a table, perceived: pictures, bags and a report in out/demo
	@$(GL) $(RUN) -m joyai_ros demo --out $(OUT)

test: lint install-rtx gl  ## the linters and all tests (and those on ROS 2, where it is found)
	@$(GL) tools/with_ros.sh $(RUN) -m pytest $(PYTEST_ARGS)

lint: install-test  ## ruff, mypy and the import contract
	@tools/lint.sh

evidence: install-evidence install-rtx gl  ## every figure the project claims, measured here, into evidence.json
	@$(GL) tools/with_ros.sh $(RUN) -m benchmarks.evidence $(EVIDENCE_ARGS)

clean:  ## remove what was built and written (not .venv)
	rm -rf out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

install-sim:
	@PYTHON=$(PYTHON) tools/install.sh sim

install-demo:
	@PYTHON=$(PYTHON) tools/install.sh sim neural

install-test:
	@PYTHON=$(PYTHON) tools/install.sh sim neural remote test

install-evidence:
	@PYTHON=$(PYTHON) tools/install.sh sim neural remote test evidence

# Not for every platform and Python: where it does not install, its tests and figures are skipped, and say so.
install-rtx: install-sim
	@PYTHON=$(PYTHON) tools/install.sh engines-rtx || echo "without TensorRT for RTX: it does not install here" >&2

gl: install-sim
	@tools/gl.sh

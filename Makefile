# make demo | test | test-quick | lint | docs | dist | bench: each sets up .venv first; a second call finds the stamp and is quick.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-quick coverage lint format docs dist bench clean

VENV := .venv
BIN := $(VENV)/bin
EXTRAS := dev,guidance,notebook,prosthesis,report,train,viewer
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Where torch's CPU build is published; set it empty to use pip's own index alone.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Modules are compiled when they are first imported: most never are, and compiling all takes a minute.
INSTALL := install -q --no-compile --disable-pip-version-check
# pytest's worker processes; two is what CI has.
WORKERS ?= 2
# Further options of pytest, such as COVERAGE below or a path.
PYTEST ?=
COVERAGE := --cov=facecom --cov-report=term:skip-covered --cov-fail-under=90

define MISSING_PACKAGES
from ctypes.util import find_library
need = {"usb-1.0": "libusb-1.0-0", "EGL": "libegl1", "GL": "libgl1", "X11": "libx11-6", "udev": "libudev1", "idn2": "libidn2-0"}
print(*[package for library, package in need.items() if not find_library(library)])
endef
export MISSING_PACKAGES

help:
	@echo "make demo    set up, complete the scans of data/demo, print where the results are"
	@echo "make test    set up, run the tests and the examples in the docstrings"
	@echo "make test-quick  the same without the tests that take seconds"
	@echo "make lint    set up, run ruff, mypy and import-linter"
	@echo "make docs    set up, build the documentation site in build/docs, warnings as errors"
	@echo "make dist    build wheel and sdist in dist/, install the wheel in a fresh environment, run the demo from it"
	@echo "make bench   set up, print times and memory (BENCH='options of benchmarks/speed.py')"
	@echo "make clean   remove .venv and what was built"

setup: $(VENV)/.system $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "facecom needs Python 3.11 or later; name one with 'make PYTHON=...'" >&2; exit 1; }
	# Debian parts ensurepip from python3: without it, the system's pip is asked to fill the environment.
	@$(PYTHON) -m venv $(VENV) 2>/dev/null \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install -q pip; }

# Open3D's wheel links against these of the system; libusb-1.0 is the one that a fresh Debian with a desktop lacks.
$(VENV)/.system: | $(BIN)/python
	@missing() { $(BIN)/python -c "$$MISSING_PACKAGES"; }; \
	if [ -n "$$(missing)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$(missing); \
	fi; \
	if [ -n "$$(missing)" ]; then \
	  echo "Open3D needs system libraries; run: sudo apt-get install $$(missing)" >&2; exit 1; \
	fi
	@touch $@

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	# torch alone comes first, without dependencies, so that its extra index serves nothing else.
	$(BIN)/python -m pip $(INSTALL) --retries 1 --no-deps -c constraints.txt \
	  $(addprefix --extra-index-url ,$(TORCH_INDEX)) torch setuptools
	$(BIN)/python -m pip $(INSTALL) --no-build-isolation -c constraints.txt \
	  -e '.[$(EXTRAS)]'
	@touch $@

# Pages are tested in a real browser. Where there is none and none can be fetched, those tests are skipped and say so.
$(VENV)/.browser: | $(BIN)/python
	@if ! command -v chromium chromium-browser google-chrome >/dev/null && [ "$$(id -u)" = 0 ] \
	    && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
	    >/dev/null || echo "no Chromium could be installed; tests of pages are skipped" >&2; \
	fi
	@touch $@

demo: setup
	$(BIN)/python -m facecom demo --out out/demo
	# Once more with the hole's picture: rendered, parsed, inpainted, taken into the fit where the face's sides are alike.
	$(BIN)/python -m facecom complete data/demo/nose.ply --out out/demo/nose_guided --guidance shipped

# A thread for each worker: more of them than cores wait for each other.
test test-quick: export OMP_NUM_THREADS := 1

test: setup $(VENV)/.browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST)

test-quick: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST)

coverage: PYTEST := $(COVERAGE)
coverage: test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What builds the site is needed for nothing else, so it has a stamp of its own.
$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip $(INSTALL) --no-build-isolation -c constraints.txt -e '.[docs]'
	@touch $@

docs: setup $(VENV)/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "open build/docs/index.html"

# Wheel and sdist as a user would get them: built, looked into, installed where nothing else is, and run on the demo.
dist: setup
	rm -rf build/lib dist
	$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	$(BIN)/python -m venv --without-pip build/clean
	$(BIN)/python -m pip --python build/clean/bin/python $(INSTALL) --no-deps -c constraints.txt \
	  $(addprefix --extra-index-url ,$(TORCH_INDEX)) torch
	$(BIN)/python -m pip --python build/clean/bin/python $(INSTALL) -c constraints.txt dist/*.whl
	cd build && clean/bin/facecom --version && clean/bin/facecom demo --scans ../data/demo --out demo --quiet
	# The sdist holds all that a build needs: it is built and installed there in the wheel's place.
	$(BIN)/python -m pip --python build/clean/bin/python $(INSTALL) --no-deps --force-reinstall \
	  --no-build-isolation dist/*.tar.gz
	cd build && clean/bin/facecom sample --number 1 --level 0 --out sample

bench: setup
	$(BIN)/python benchmarks/speed.py $(BENCH)

clean:
	rm -rf $(VENV) build dist out docs/api *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

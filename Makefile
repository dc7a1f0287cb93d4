# Two commands for everybody: `make run` and `make test`. On a fresh Debian 12 both see to what they need by themselves:
# packages: Debian packages that are missing (apt-get, with sudo where not root), and nothing where all are there
# .venv:    a virtual environment with the versions of tests/requirements.lock, again only after that file changed
# Another interpreter: make PYTHON=/usr/local/bin/python3.12 ... (before there is a .venv)

PYTHON ?= python3
BIN := .venv/bin

# systemd-python is built from its source: that is what the compiler and the -dev packages are for.
PACKAGES := python3-venv python3-dev gcc libc6-dev pkg-config libsystemd-dev mosquitto

# Every branch of these is covered, or `make test` fails.
COVERED := node/core/*,node/wire.py,node/messages.py,node/config/*

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
PIP_TOOLS := pip-tools==7.6.2

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test lint types contracts bench packages lock clean

help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

run: .venv/ready ## the demo: press a button and watch; without a terminal it plays the story by itself
	@$(BIN)/alarm-node demo

test: lint types contracts ## everything that must hold: lint, types, import contracts, tests and their coverage
	@echo "Tests:"
	$(BIN)/python -m pytest --cov --cov-report=
	echo "Coverage of $(COVERED):"
	$(BIN)/coverage report --include='$(COVERED)' --fail-under=100

lint: .venv/ready ## style and likely mistakes
	@echo "Lint:"
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/ready ## strict types
	@echo "Types:"
	$(BIN)/mypy

contracts: .venv/ready ## who may import whom
	@echo "Import contracts:"
	$(BIN)/lint-imports --no-logo

bench: .venv/ready ## how long a press takes: distributions over 200 taps
	@$(BIN)/python -m tests.bench.press

# First setuptools, so that what is built here (systemd-python, this package) is built with the locked one.
.venv/ready: pyproject.toml tests/requirements.lock | packages
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	    echo "alarm-node needs Python 3.11 or later, and $(PYTHON) isn't. Next: make PYTHON=/path/to/python3.11" >&2
	    exit 1
	fi
	if ! $(PIP) --version >/dev/null 2>&1; then
	    echo "Making the virtual environment .venv"
	    $(PYTHON) -m venv --clear .venv
	fi
	echo "Installing Python packages into .venv: this takes a minute"
	sed -n '/^setuptools==/,$$p' tests/requirements.lock | $(PIP) install --require-hashes --requirement /dev/stdin
	$(PIP) install --require-hashes --use-pep517 --no-build-isolation --requirement tests/requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

packages:
	@if ! command -v dpkg-query >/dev/null; then
	    echo "This isn't Debian. It needs the like of: $(PACKAGES)"
	    exit 0
	fi
	missing=()
	for package in $(PACKAGES); do
	    dpkg-query --show --showformat '$${db:Status-Status}\n' $$package 2>/dev/null | grep -x installed >/dev/null || missing+=($$package)
	done
	if [ $${#missing[@]} = 0 ]; then exit 0; fi
	as_root=()
	if [ $$EUID != 0 ]; then as_root=(sudo); fi
	if [ $$EUID != 0 ] && ! command -v sudo >/dev/null; then
	    echo "Debian packages are missing, and there is no sudo. Next, as root: apt-get install $${missing[*]}" >&2
	    exit 1
	fi
	echo "Installing Debian packages: $${missing[*]}"
	"$${as_root[@]}" /bin/bash -euo pipefail -c "$$INSTALL_PACKAGES" install "$${missing[@]}"

# Debian's mosquitto would start a broker on port 1883, now and at every boot. Nothing here uses that one, so where we
# bring the package in, its service stays off. A policy of the machine's own is left alone.
define INSTALL_PACKAGES
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
quiet=
case " $$* " in *" mosquitto "*) quiet=yes ;; esac
if [ "$$quiet" ] && [ ! -e $$policy ]; then
    trap 'rm -f $$policy' EXIT
    printf '#!/bin/sh\ncase "$$*" in *mosquitto*) exit 101 ;; esac\n' >$$policy
    chmod 755 $$policy
fi
apt-get -qq update || echo "apt-get update failed: trying with the package lists that are here" >&2
apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$$@" >/dev/null
if [ "$$quiet" ] && command -v systemctl >/dev/null; then
    systemctl disable --now mosquitto >/dev/null 2>&1 || true
    echo "The package's own broker (mosquitto.service) was left off: the demo and the tests start private ones"
fi
endef
export INSTALL_PACKAGES

lock: | packages ## choose versions anew, as far as pyproject.toml asks for it (LOCK_OPTIONS=--upgrade: the newest)
	@tools=$$(mktemp -d)
	trap 'rm -rf "$$tools"' EXIT
	$(PYTHON) -m venv "$$tools"
	"$$tools/bin/pip" --quiet install $(PIP_TOOLS)
	CUSTOM_COMPILE_COMMAND="make lock" "$$tools/bin/pip-compile" --quiet --extra dev --generate-hashes --allow-unsafe \
	    --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK_OPTIONS) \
	    --output-file tests/requirements.lock pyproject.toml

clean: ## remove what the tools leave behind (.venv stays)
	@rm -rf build ./*.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find node tests -name __pycache__ -prune -exec rm -rf {} +

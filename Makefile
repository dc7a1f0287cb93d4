# Two commands for everybody: `make run` and `make test`; and `make install` for a Pi or PC that becomes a node.
# On a fresh Debian 12 all see to what they need by themselves:
# packages: Debian packages that are missing (apt-get, with sudo where not root), and nothing where all are there
# .venv:    a virtual environment with the versions of tests/requirements.lock, again only after that file changed
# Another interpreter: make PYTHON=/usr/local/bin/python3.12 ... (before there is a .venv)

PYTHON ?= python3
BIN := .venv/bin

# systemd-python is built from its source: that is what the compiler and the -dev packages are for.
BUILD_PACKAGES := python3-venv python3-dev gcc libc6-dev pkg-config libsystemd-dev
PACKAGES := $(BUILD_PACKAGES) mosquitto systemd

# What the tests need beside that: Debians that are booted with the packages, a file system for one, Debian's check of
# these, the shells that complete, a database for the monitor with a pool before it, promtool, and what counts calls.
TEST_PACKAGES := mmdebstrap systemd-container e2fsprogs fish zsh postgresql pgbouncer prometheus lintian nginx strace

# `make install` installs the package that `make deb` builds for this machine. DESTDIR: only unpack it there.
DESTDIR ?=
DEB_OPTIONS ?=
VM_OPTIONS ?=
BENCH_OPTIONS ?=

PIP_OPTIONS := --disable-pip-version-check --no-input --quiet
PIP := $(BIN)/python -m pip $(PIP_OPTIONS)
PIP_TOOLS := pip-tools==7.6.2

# A container's image often sets it. Every program of the tests would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test test-trixie quick lint types contracts search mutants bench fleet faults endurance vm deb install uninstall \
    install-monitor uninstall-monitor packages lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

run: .venv/ready ## the demo: press a button and watch; without a terminal it plays the story by itself
	@$(BIN)/alarm-node demo

# Many tests wait for something rather than work: three at once for each processor. By its own choice xdist begins with
# files of many tests; tests/conftest.py begins with those that take longest.
test: PACKAGES += $(TEST_PACKAGES)
test: lint contracts ## everything that must hold: lint, types, import contracts, tests and their coverage
	@echo "Types:"
	$(BIN)/python -m pytest --quiet --collect-only >/dev/null & # compiles the tests, which every worker reads next
	trap wait EXIT
	$(BIN)/mypy
	wait
	echo "Tests:"
	$(BIN)/python -m pytest --numprocesses=$$(($$(nproc) * 3)) --dist=loadfile --no-loadscope-reorder --cov --cov-report=
	echo "Coverage of what must be covered whole (pyproject.toml):"
	$(BIN)/coverage report --fail-under=100

# Debian 12 has Python 3.11, mosquitto 2.0.11 and systemd 252; Debian 13 has 3.13, 2.0.21 and 257.
test-trixie: PACKAGES := mmdebstrap git
test-trixie: | packages ## `make test` of the last commit in a fresh Debian 13 (as root)
	@$(CHECK_PYTHON)
	as_root=()
	if [ $$EUID != 0 ]; then as_root=(sudo --preserve-env=XDG_CACHE_HOME); fi
	"$${as_root[@]}" $(PYTHON) -m tests.support.fresh_debian --suite trixie make test

quick: lint types contracts ## while you work: lint, types, import contracts and the tests of both cores, in less than a minute
	@echo "Tests of both cores:"
	$(BIN)/python -m pytest --quiet --numprocesses=auto --hypothesis-profile=quick tests/core tests/monitor/core

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

search: .venv/ready ## the tests of which `make test` tries a share: all their tries, and other examples at every run
	$(BIN)/python -m pytest --numprocesses=auto -m "hypothesis or many" --hypothesis-profile=search

# Which mutants: SEED, and SAMPLE of each core (a number, or all); ONLY, the beginning of a path.
SEED ?= 1
SAMPLE ?= 40
ONLY ?=
mutants: .venv/ready ## change both cores in one place at a time: does a test notice? (SEED=1 SAMPLE=40|all ONLY=node/core/alarm.py)
	@$(BIN)/python -m tests.bench.mutants --seed '$(SEED)' --sample '$(SAMPLE)' --only '$(ONLY)'

bench: .venv/ready ## this node and others, measured side by side (BENCH_OPTIONS="--quick"); build/bench.json and .svg
	@$(BIN)/python -m tests.bench.press $(BENCH_OPTIONS)

fleet: .venv/ready ## how many nodes one monitor holds, and what becomes of 10,000 that are lost at once (five minutes)
	@$(BIN)/python -m tests.bench.fleet

faults: .venv/ready ## every promise under every fault, thousands of times (half an hour); build/faults.json
	@mkdir -p build
	$(BIN)/python -m tests.campaigns --json build/faults.json

endurance: .venv/ready ## 90 days at speed: does anything grow? (ten minutes)
	@$(BIN)/python -m tests.campaigns --only endurance

# Virtual machines without KVM, and what makes their roots. The results: build/vm.json.
vm: PACKAGES += mmdebstrap arch-test qemu-system-x86 qemu-system-arm qemu-user-static kmod e2fsprogs
vm: .venv/ready ## the proof on a real GPIO chip's kernel interface, in virtual machines (as root); VM_OPTIONS="--only press"
	@as_root=()
	if [ $$EUID != 0 ]; then as_root=(sudo --preserve-env=XDG_CACHE_HOME); fi
	"$${as_root[@]}" $(BIN)/python -m tests.vm --json build/vm.json $(VM_OPTIONS)

deb: PACKAGES := python3-venv
deb: | packages ## the Debian packages of both programs, in build/deb (DEB_OPTIONS="--suite trixie --arch arm64": fewer)
	@$(CHECK_PYTHON)
	$(PYTHON) -m deploy.package $(DEB_OPTIONS)

install: PACKAGES := python3-venv
install: | packages ## make this machine a node (as root), by a package of this source; asks nothing
	@$(call INSTALL,alarm-node,install)

uninstall: ## remove the node's package (as root); the record and the configuration stay
	@$(call UNINSTALL,alarm-node,uninstall)

install-monitor: PACKAGES := python3-venv
install-monitor: | packages ## make this machine a monitor (as root), by a package of this source; asks nothing
	@$(call INSTALL,alarm-monitor,install-monitor)

uninstall-monitor: ## remove the monitor's package (as root); the history and the configuration stay
	@$(call UNINSTALL,alarm-monitor,uninstall-monitor)

# The program $(1), by the target $(2).
define INSTALL
$(CHECK_PYTHON)
if [ -z "$(DESTDIR)" ] && [ $$EUID != 0 ]; then
    echo "This installs a package. Next: sudo make $(2)" >&2
    exit 1
fi
. /etc/os-release
built=$$(mktemp -d)
trap 'rm -rf "$$built"' EXIT
chmod 755 "$$built" # apt reads it by an account of its own
package=$$($(PYTHON) -m deploy.package --program $(1) --suite "$$VERSION_CODENAME" --arch "$$(dpkg --print-architecture)" --to "$$built")
if [ "$(DESTDIR)" ]; then
    mkdir -p '$(DESTDIR)'
    dpkg-deb --extract "$$package" '$(DESTDIR)'
else
    # The same version again is another state of the source.
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --reinstall --allow-downgrades "$$package"
fi
endef

define UNINSTALL
if [ $$EUID != 0 ]; then
    echo "This removes a package. Next: sudo make $(2)" >&2
    exit 1
fi
apt-get remove --yes $(1)
endef

# First setuptools, so that what is built here (systemd-python, this package) is built with the locked one.
.venv/ready: pyproject.toml tests/requirements.lock | packages
	@$(CHECK_PYTHON)
	if ! $(PIP) --version >/dev/null 2>&1; then
	    echo "Making the virtual environment .venv"
	    $(PYTHON) -m venv --clear .venv
	fi
	echo "Installing Python packages into .venv: this takes a minute"
	sed -n '/^setuptools==/,$$p' tests/requirements.lock | $(PIP) install --require-hashes --requirement /dev/stdin
	$(PIP) install --require-hashes --use-pep517 --no-build-isolation --requirement tests/requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

define CHECK_PYTHON
if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "alarm-node needs Python 3.11 or later, and $(PYTHON) isn't. Next: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
endef

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

# Debian's mosquitto, PostgreSQL, PgBouncer, Prometheus and nginx would start services, now and at every boot. Nothing here uses
# those, so where we bring a package in, its service stays off. A policy of the machine's own is left alone.
define INSTALL_PACKAGES
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
quiet=
for service in mosquitto postgresql pgbouncer prometheus nginx; do
    case " $$* " in *" $$service "*) quiet="$$quiet $$service" ;; esac
done
if [ "$$quiet" ] && [ ! -e $$policy ]; then
    trap 'rm -f $$policy' EXIT
    printf '#!/bin/sh\ncase "$$*" in *mosquitto*|*postgresql*|*pgbouncer*|*prometheus*|*nginx*) exit 101 ;; esac\n' >$$policy
    chmod 755 $$policy
fi
apt-get -qq update || echo "apt-get update failed: trying with the package lists that are here" >&2
apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$$@" >/dev/null
if [ "$$quiet" ] && command -v systemctl >/dev/null; then
    for service in $$quiet; do systemctl disable --now $$service >/dev/null 2>&1 || true; done
fi
if [ "$$quiet" ]; then
    echo "The services of these packages were left off ($${quiet# }): the demo and the tests start private ones"
fi
endef
export INSTALL_PACKAGES

lock: | packages ## choose versions anew, as far as pyproject.toml asks for it (LOCK_OPTIONS=--upgrade: the newest)
	@tools=$$(mktemp -d)
	trap 'rm -rf "$$tools"' EXIT
	$(PYTHON) -m venv "$$tools"
	"$$tools/bin/pip" --quiet install $(PIP_TOOLS)
	compile=("$$tools/bin/pip-compile" --quiet --generate-hashes --allow-unsafe --no-strip-extras)
	compile+=(--no-emit-index-url --no-emit-find-links --no-emit-trusted-host)
	export CUSTOM_COMPILE_COMMAND="make lock"
	"$${compile[@]}" --extra dev --extra monitor $(LOCK_OPTIONS) --output-file tests/requirements.lock pyproject.toml
	# A node and a monitor run with the versions that the tests ran with.
	compile+=(--build-deps-for wheel --constraint tests/requirements.lock)
	"$${compile[@]}" --output-file deploy/requirements.lock pyproject.toml
	"$${compile[@]}" --extra monitor --output-file deploy/monitor-requirements.lock pyproject.toml

clean: ## remove what the tools leave behind (.venv stays)
	@rm -rf build ./*.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find node tests -name __pycache__ -prune -exec rm -rf {} +

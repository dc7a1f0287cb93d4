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

# What the tests need beside that: a Debian that is booted with the installed unit, the shells that complete, a database
# for the monitor with a pool before it, and promtool.
TEST_PACKAGES := mmdebstrap systemd-container fish zsh postgresql pgbouncer prometheus

# Where `make install` puts things. DESTDIR goes before all of it, for packages and images: then nothing is asked of the
# running system. A PC's hardware watchdog is left alone, unless HARDWARE_WATCHDOG=yes.
DESTDIR ?=
HOME_OF_NODE := /opt/alarm-node
UNITS := /usr/local/lib/systemd
COMPLETION_OF_BASH := /usr/local/share/bash-completion/completions
COMPLETION_OF_ZSH := /usr/local/share/zsh/site-functions
COMPLETION_OF_FISH := /usr/local/share/fish/vendor_completions.d
INSTALLED := $(UNITS)/system/alarm-node.service /usr/local/lib/sysusers.d/alarm-node.conf \
    /usr/local/lib/udev/rules.d/60-alarm-node.rules /usr/local/bin/alarm-node \
    $(COMPLETION_OF_BASH)/alarm-node $(COMPLETION_OF_ZSH)/_alarm-node $(COMPLETION_OF_FISH)/alarm-node.fish
WATCHDOG_INSTALLED := $(UNITS)/system.conf.d/10-alarm-node-watchdog.conf \
    $(UNITS)/system/alarm-node.service.d/10-hardware-watchdog.conf
HOME_OF_MONITOR := /opt/alarm-monitor
MONITOR_INSTALLED := $(UNITS)/system/alarm-monitor.service /usr/local/lib/sysusers.d/alarm-monitor.conf \
    /usr/local/bin/alarm-monitor /usr/local/bin/check_alarm_node $(COMPLETION_OF_BASH)/alarm-monitor \
    $(COMPLETION_OF_ZSH)/_alarm-monitor $(COMPLETION_OF_FISH)/alarm-monitor.fish
HARDWARE_WATCHDOG ?= $(shell grep -qsa 'Raspberry Pi' /proc/device-tree/model && echo yes || echo no)

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
.PHONY: help run test quick lint types contracts search mutants bench fleet faults endurance install uninstall install-monitor uninstall-monitor \
    packages lock clean

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

bench: .venv/ready ## how long a press takes: distributions over 200 taps
	@$(BIN)/python -m tests.bench.press

fleet: .venv/ready ## how many nodes one monitor holds, and what becomes of 10,000 that are lost at once (five minutes)
	@$(BIN)/python -m tests.bench.fleet

faults: .venv/ready ## every promise under every fault, thousands of times (half an hour); build/faults.json
	@mkdir -p build
	$(BIN)/python -m tests.campaigns --json build/faults.json

endurance: .venv/ready ## 90 days at speed: does anything grow? (ten minutes)
	@$(BIN)/python -m tests.campaigns --only endurance

install: PACKAGES := $(BUILD_PACKAGES)
install: | packages ## make this machine a node (as root): program, account, units; asks nothing, starts nothing
	@if [ -z "$(DESTDIR)" ] && [ $$EUID != 0 ]; then
	    echo "This writes to /opt, /etc and /usr/local. Next: sudo make install" >&2
	    exit 1
	fi
	$(CHECK_PYTHON)
	$(call MAKE_PROGRAM,alarm-node,$(HOME_OF_NODE),deploy/requirements.lock)
	install -D --mode=644 --target-directory="$$fresh/share/doc/alarm-node" deploy/*.example.toml LICENSE
	for each in guides mosquitto prometheus; do
	    install -D --mode=644 --target-directory="$$fresh/share/doc/alarm-node/$$each" "deploy/$$each"/*
	done
	chmod -R go=rX "$$fresh"
	rm -rf '$(DESTDIR)$(HOME_OF_NODE)'
	mv "$$fresh" '$(DESTDIR)$(HOME_OF_NODE)'
	install -D --mode=644 deploy/systemd/alarm-node.service '$(DESTDIR)$(UNITS)/system/alarm-node.service'
	install -D --mode=644 deploy/systemd/alarm-node.sysusers.conf '$(DESTDIR)/usr/local/lib/sysusers.d/alarm-node.conf'
	install -D --mode=644 deploy/systemd/60-alarm-node.rules '$(DESTDIR)/usr/local/lib/udev/rules.d/60-alarm-node.rules'
	install -D --mode=644 deploy/completion/alarm-node.bash '$(DESTDIR)$(COMPLETION_OF_BASH)/alarm-node'
	install -D --mode=644 deploy/completion/_alarm-node '$(DESTDIR)$(COMPLETION_OF_ZSH)/_alarm-node'
	install -D --mode=644 deploy/completion/alarm-node.fish '$(DESTDIR)$(COMPLETION_OF_FISH)/alarm-node.fish'
	install -d '$(DESTDIR)/usr/local/bin'
	ln -sfn $(HOME_OF_NODE)/bin/alarm-node '$(DESTDIR)/usr/local/bin/alarm-node'
	if [ "$(HARDWARE_WATCHDOG)" = yes ]; then
	    install -D --mode=644 deploy/systemd/10-alarm-node-watchdog.conf '$(DESTDIR)$(UNITS)/system.conf.d/10-alarm-node-watchdog.conf'
	    install -D --mode=644 deploy/systemd/alarm-node.service.d/10-hardware-watchdog.conf \
	        '$(DESTDIR)$(UNITS)/system/alarm-node.service.d/10-hardware-watchdog.conf'
	else
	    rm -f $(WATCHDOG_INSTALLED:%='$(DESTDIR)%')
	fi
	config='$(DESTDIR)/etc/alarm-node/node.toml'
	if [ ! -e "$$config" ]; then install -D --mode=644 deploy/node.example.toml "$$config"; fi
	if [ -z "$(DESTDIR)" ]; then
	    systemd-sysusers alarm-node.conf
	    if [ -d /run/systemd/system ]; then
	        systemctl daemon-reload
	        udevadm control --reload && udevadm trigger --subsystem-match=gpio || true
	        systemctl try-restart alarm-node.service
	    fi
	fi
	echo "Installed. Nothing was started that didn't run before. Next:"
	echo "  1. alarm-node init, which writes what this room has ($(HOME_OF_NODE)/share/doc/alarm-node/guides/INSTALL.md)"
	echo "  2. alarm-node check"
	echo "  3. systemctl enable --now alarm-node"

uninstall: ## take the program and its units away (as root); the record and the configuration stay
	@if [ -z "$(DESTDIR)" ] && [ $$EUID != 0 ]; then
	    echo "This removes from /opt and /usr/local. Next: sudo make uninstall" >&2
	    exit 1
	fi
	running=
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then running=yes; fi
	if [ "$$running" ]; then systemctl disable --now alarm-node.service || true; fi
	rm -rf '$(DESTDIR)$(HOME_OF_NODE)'
	rm -f $(INSTALLED:%='$(DESTDIR)%') $(WATCHDOG_INSTALLED:%='$(DESTDIR)%')
	rmdir '$(DESTDIR)$(UNITS)/system/alarm-node.service.d' 2>/dev/null || true
	if [ "$$running" ]; then systemctl daemon-reload; fi
	echo "Removed. What a node knows was left where it is:"
	echo "  the record         $(DESTDIR)/var/lib/alarm-node"
	echo "  the configuration  $(DESTDIR)/etc/alarm-node"
	echo "  the account        alarm-node (userdel alarm-node)"

install-monitor: PACKAGES := $(BUILD_PACKAGES)
install-monitor: | packages ## make this machine the building's monitor (as root): program, account, unit; starts nothing
	@if [ -z "$(DESTDIR)" ] && [ $$EUID != 0 ]; then
	    echo "This writes to /opt, /etc and /usr/local. Next: sudo make install-monitor" >&2
	    exit 1
	fi
	$(CHECK_PYTHON)
	$(call MAKE_PROGRAM,alarm-monitor,$(HOME_OF_MONITOR),deploy/monitor-requirements.lock)
	install -D --mode=644 --target-directory="$$fresh/share/doc/alarm-monitor" deploy/*.example.toml LICENSE
	for each in guides mosquitto prometheus; do
	    install -D --mode=644 --target-directory="$$fresh/share/doc/alarm-monitor/$$each" "deploy/$$each"/*
	done
	chmod -R go=rX "$$fresh"
	rm -rf '$(DESTDIR)$(HOME_OF_MONITOR)'
	mv "$$fresh" '$(DESTDIR)$(HOME_OF_MONITOR)'
	install -D --mode=644 deploy/systemd/alarm-monitor.service '$(DESTDIR)$(UNITS)/system/alarm-monitor.service'
	install -D --mode=644 deploy/systemd/alarm-monitor.sysusers.conf '$(DESTDIR)/usr/local/lib/sysusers.d/alarm-monitor.conf'
	install -D --mode=644 deploy/completion/alarm-monitor.bash '$(DESTDIR)$(COMPLETION_OF_BASH)/alarm-monitor'
	install -D --mode=644 deploy/completion/_alarm-monitor '$(DESTDIR)$(COMPLETION_OF_ZSH)/_alarm-monitor'
	install -D --mode=644 deploy/completion/alarm-monitor.fish '$(DESTDIR)$(COMPLETION_OF_FISH)/alarm-monitor.fish'
	install -d '$(DESTDIR)/usr/local/bin' '$(DESTDIR)/etc/alarm-monitor'
	ln -sfn $(HOME_OF_MONITOR)/bin/alarm-monitor '$(DESTDIR)/usr/local/bin/alarm-monitor'
	ln -sfn $(HOME_OF_MONITOR)/bin/check_alarm_node '$(DESTDIR)/usr/local/bin/check_alarm_node'
	if [ -z "$(DESTDIR)" ]; then
	    systemd-sysusers alarm-monitor.conf
	    if [ -d /run/systemd/system ]; then
	        systemctl daemon-reload
	        systemctl try-restart alarm-monitor.service
	    fi
	fi
	echo "Installed. Nothing was started that didn't run before. Next:"
	echo "  1. alarm-monitor init, then fill in what it writes ($(HOME_OF_MONITOR)/share/doc/alarm-monitor/guides/MONITOR.md)"
	echo "  2. alarm-monitor check"
	echo "  3. systemctl enable --now alarm-monitor"

uninstall-monitor: ## take the monitor and its unit away (as root); the history and the configuration stay
	@if [ -z "$(DESTDIR)" ] && [ $$EUID != 0 ]; then
	    echo "This removes from /opt and /usr/local. Next: sudo make uninstall-monitor" >&2
	    exit 1
	fi
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl disable --now alarm-monitor.service || true; fi
	rm -rf '$(DESTDIR)$(HOME_OF_MONITOR)'
	rm -f $(MONITOR_INSTALLED:%='$(DESTDIR)%')
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	echo "Removed. What the monitor knows was left where it is:"
	echo "  the history        $(DESTDIR)/var/lib/alarm-monitor"
	echo "  the configuration  $(DESTDIR)/etc/alarm-monitor"
	echo "  the account        alarm-monitor (userdel alarm-monitor)"

# The program $(1) with its interpreter, for $(2), with the versions of $(3), in $$fresh.
define MAKE_PROGRAM
# All of it is made beside the one that may be running, and takes its place at the end.
fresh='$(DESTDIR)$(2).new'
source=$$(mktemp -d)
trap 'rm -rf "$$source" "$$fresh"' EXIT
echo "Installing $(1) into $(DESTDIR)$(2): this takes a minute"
rm -rf "$$fresh"
$(PYTHON) -m venv "$$fresh"
pip=("$$fresh/bin/python" -m pip $(PIP_OPTIONS))
sed -n '/^setuptools==/,$$p' $(3) | "$${pip[@]}" install --no-compile --require-hashes --requirement /dev/stdin
"$${pip[@]}" install --no-compile --require-hashes --use-pep517 --no-build-isolation --requirement $(3)
cp -R node pyproject.toml README.md LICENSE "$$source"
"$${pip[@]}" install --no-compile --no-deps --no-build-isolation "$$source"
"$${pip[@]}" uninstall --yes pip
grep -rlIF "$$fresh" "$$fresh/bin" "$$fresh/pyvenv.cfg" | xargs sed -i "s|$$fresh|$(2)|g"
"$$fresh/bin/python" -m compileall -f -q -s "$$fresh" -p $(2) "$$fresh/lib"
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

# Debian's mosquitto, PostgreSQL, PgBouncer and Prometheus would start services, now and at every boot. Nothing here uses those, so
# where we bring a package in, its service stays off. A policy of the machine's own is left alone.
define INSTALL_PACKAGES
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
quiet=
for service in mosquitto postgresql pgbouncer prometheus; do
    case " $$* " in *" $$service "*) quiet="$$quiet $$service" ;; esac
done
if [ "$$quiet" ] && [ ! -e $$policy ]; then
    trap 'rm -f $$policy' EXIT
    printf '#!/bin/sh\ncase "$$*" in *mosquitto*|*postgresql*|*pgbouncer*|*prometheus*) exit 101 ;; esac\n' >$$policy
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

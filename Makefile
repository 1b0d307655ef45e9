# Everything here works on a fresh clone: the virtual environment is made, and kept in step with the lock files, first.
# Paths are relative on purpose: the repository may lie in a folder with a space in its name.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
INSTALL = exec "$(PYTHON)" -I deploy/local/install.py
DEV = runtime engines dev

.DEFAULT_GOAL := help
.PHONY: help up down test test-engines test-cluster lint format docs bench chaos lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

# exec, so that a SIGTERM which make passes on reaches the stack and not a shell around it.
up: ## Start Reelway on this machine; Ctrl-C stops it
	@$(INSTALL) runtime engines -- -m deploy.local up

down: ## Stop the Reelway that runs elsewhere on this machine
	@$(INSTALL) runtime engines -- -m deploy.local down

# Every worker starts whole stacks: more of them than there are cores gain little and make tests with time limits fail.
# Tests of one file share their stack, so they stay together; the longest files come first by their names.
test: ## Run the tests; ARGS="tests/unit -k name" picks some, WORKERS=0 runs them one after the other
	@$(INSTALL) $(DEV) -- -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-engines: .cache/kafka ## Run the integration and end-to-end tests against Apache Kafka (takes Java 17 and Maven)
	@REAL_ENGINES=kafka "$(MAKE)" test ARGS="$(or $(ARGS),tests/integration tests/e2e)"

test-cluster: .cache/kafka ## Run the tests of three brokers, and of two replicas of every service (as above)
	@REAL_ENGINES=kafka "$(MAKE)" test WORKERS=0 ARGS="$(or $(ARGS),tests/cluster)"

.cache/kafka: deploy/local/kafka/pom.xml
	mvn --quiet --batch-mode -Dstyle.color=never --file $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(CURDIR)/$@"
	@touch $@

lint: ## Check style, types, imports and the lock files
	@$(INSTALL) $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/yamllint --strict docker-compose.yml deploy tests
	.venv/bin/hadolint deploy/Dockerfile
	@! grep -nE 'https?://|^--(index|extra|find|trusted)' requirements/*.txt || { echo 'A lock file names a package index.'; exit 1; }

format: ## Put the code into the house's format
	@$(INSTALL) $(DEV)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

docs: ## Write docs/settings.md and docs/metrics.md anew from the code
	@$(INSTALL) $(DEV) -- -m deploy.settings_page > docs/settings.md
	@$(INSTALL) $(DEV) -- -m deploy.metrics_page > docs/metrics.md

bench: ## Take the performance figures
	@$(INSTALL) $(DEV) -- -m tests.bench $(ARGS)

chaos: ## Break everything while it is used, and check every promise; ARGS="--seconds 60 --seed 7" replays one run
	@$(INSTALL) $(DEV) -- -m tests.chaos $(ARGS)

lock: ## Write the lock files anew from requirements/*.in; ARGS=--upgrade takes newer releases
	@tool="$$(mktemp -d)" && trap 'rm -rf "$$tool"' EXIT && \
	"$(PYTHON)" -m venv "$$tool" && "$$tool/bin/pip" install --quiet uv && \
	for set in $(DEV); do \
		"$$tool/bin/uv" pip compile --quiet --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
			$(ARGS) requirements/$$set.in --output-file requirements/$$set.txt || exit 1; \
	done

# Everything here works on a fresh clone: the virtual environment is made, and kept in step with the lock files, first.
# Paths are relative on purpose: the repository may lie in a folder with a space in its name.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 4
INSTALL = exec "$(PYTHON)" -I deploy/local/install.py
DEV = runtime engines dev
# The engines that tests start as the real thing, by these names; none by default: the embedded ones.
REAL_ENGINES ?=
ENGINES ?= kafka s3 mongo
# Whatever starts an engine: the rest of tests/integration starts the workflow engine at most.
ON_ENGINES = $(addprefix tests/integration/,gateway generator media notifier shared local/test_engines.py local/test_whole_stack.py) tests/e2e
LOCKED = $(DEV) real n8n

.DEFAULT_GOAL := help
.PHONY: help up down test test-engines test-cluster real-kafka real-kafka3 real-mongo real-s3 test-n8n lint format docs bench chaos lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

# exec, so that a SIGTERM which make passes on reaches the stack and not a shell around it.
up: ## Start Reelway on this machine; Ctrl-C stops it
	@$(INSTALL) runtime engines -- -m deploy.local up

down: ## Stop the Reelway that runs elsewhere on this machine
	@$(INSTALL) runtime engines -- -m deploy.local down

# Every worker starts whole stacks, and waits half of the time: twice as many of them as a small machine has cores.
# Tests of one file share their stack, so they stay together; the longest files come first by their names.
test: $(REAL_ENGINES:%=real-%) ## Run the tests; ARGS="tests/unit -k name" picks some, WORKERS=0 runs them one after the other
	@$(INSTALL) $(DEV) -- -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-engines: ## Run the integration, end-to-end and chaos tests on real engines; ENGINES="kafka s3 mongo" picks some, kafka3 has three brokers
	@"$(MAKE)" test REAL_ENGINES="$(ENGINES)" WORKERS=2 ARGS="$(or $(ARGS),$(ON_ENGINES))"
	@$(if $(ARGS),,"$(MAKE)" chaos REAL_ENGINES="$(ENGINES)" ARGS="--seconds 180 --seed 20")

test-cluster: ## Run the tests of three Kafka brokers, and of two replicas of every service
	@"$(MAKE)" test REAL_ENGINES=kafka WORKERS=0 ARGS="$(or $(ARGS),tests/cluster)"

# Kafka takes Java 17 and Maven; MongoDB's stand-in Rust, CMake and a C++ compiler, and its first build a while.
real-kafka real-kafka3: .cache/kafka
real-mongo: .cache/secantus/bin/secantusd-rs
real-s3:
	@$(INSTALL) real

.cache/kafka: deploy/local/real/kafka.pom.xml
	rm -rf $@ # another version's jars would lie beside
	mvn --quiet --batch-mode -Dstyle.color=never --file $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(CURDIR)/$@"
	@touch $@

.cache/secantus/bin/secantusd-rs:
	cargo install secantus-mdb --version 0.5.3-beta.196 --locked --ignore-rust-version --root .cache/secantus

test-n8n: .cache/n8n/installed ## Run the workflows of deploy/n8n in a real n8n; installs it first (2.7 GB, up to 40 minutes)
	@$(INSTALL) $(DEV) n8n -- -m pytest -n 0 tests/n8n $(ARGS)

.cache/n8n/installed: deploy/local/n8n/package-lock.json deploy/local/n8n/install.sh requirements/n8n.txt
	@$(INSTALL) $(DEV) n8n
	deploy/local/n8n/install.sh "$(CURDIR)/.cache/n8n"

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

chaos: $(REAL_ENGINES:%=real-%) ## Break everything while it is used, and check every promise; ARGS="--seconds 60 --seed 7" replays one run
	@$(INSTALL) $(DEV) -- -m tests.chaos $(ARGS)

lock: ## Write the lock files anew from requirements/*.in; ARGS=--upgrade takes newer releases
	@tool="$$(mktemp -d)" && trap 'rm -rf "$$tool"' EXIT && \
	"$(PYTHON)" -m venv "$$tool" && "$$tool/bin/pip" install --quiet uv && \
	for set in $(LOCKED); do \
		"$$tool/bin/uv" pip compile --quiet --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
			$(ARGS) requirements/$$set.in --output-file requirements/$$set.txt || exit 1; \
	done

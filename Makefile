# `make` alone lists what one can do.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where AgentField's SDK is installed, for the tests that run a real agent.
SDK := .venv-agentfield
CODE := $(wildcard kit gateway services devstack deploy edge_agent tools tests bench)
# Folders too: theirs is the date that changes when a file in them is removed.
PROTOS := $(shell find protos -mindepth 1 -type d -o -name '*.proto')

# What `make token` takes; ARGS goes to pytest.
ROLES ?=
WORKSPACE ?= demo
CLIENT ?=
AGENT ?=
SUBJECT ?=
TTL ?=
ARGS ?=
# How many of its files are tested at a time.
JOBS ?= 2
SEED ?= 1
MINUTES ?= 5
# Generated requests for each operation in `make security`.
EXAMPLES ?= 200
IMAGE ?= opsfield:latest
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

export PYTHONPATH := $(CURDIR):$(CURDIR)/gen:$(CURDIR)/edge_agent/src
# Many programs start from the same code, which is compiled once.
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As pip does: a company's own certificate is one the machine trusts.
export UV_SYSTEM_CERTS := 1

.PHONY: help
help: ## list what one can do
	@echo "Opsfield"
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

.PHONY: run
run: $(VENV)/runtime.stamp gen/descriptors.binpb ## start the whole platform on this machine; Ctrl-C stops it [KAFKA=apache]
	@exec $(BIN)/python -m devstack run

.PHONY: token
token: $(VENV)/runtime.stamp gen/descriptors.binpb ## print a bearer token: ROLES=ops_engineer,billing WORKSPACE=demo [CLIENT= AGENT= SUBJECT= TTL=seconds]
	@exec $(BIN)/python -m devstack token --roles "$(ROLES)" --workspace "$(WORKSPACE)" \
		$(if $(CLIENT),--client "$(CLIENT)") $(if $(AGENT),--agent "$(AGENT)") \
		$(if $(SUBJECT),--subject "$(SUBJECT)") $(if $(TTL),--ttl "$(TTL)")

.PHONY: test
test: $(VENV)/development.stamp $(SDK)/stamp gen/descriptors.binpb ## run all tests [ARGS="-k name"] [KAFKA=apache]
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-faults
test-faults: $(VENV)/development.stamp gen/descriptors.binpb ## a mixed load while anything fails, then the books [SEED=1] [MINUTES=5] [KAFKA=apache]
	@exec $(BIN)/python -m tests.faults.storm --seed $(SEED) --minutes $(MINUTES)

.PHONY: test-soak
test-soak: $(VENV)/development.stamp gen/descriptors.binpb ## half load for an hour: memory, files, connections, tables stay as they are [MINUTES=60]
	@exec $(BIN)/python -m tests.soak --minutes $(MINUTES)

.PHONY: lint
lint: $(VENV)/development.stamp gen/descriptors.binpb ## check style, types and imports
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python tools/lint_rules.py

.PHONY: security
security: $(VENV)/development.stamp gen/descriptors.binpb ## look for flaws: the code, what it stands on, many generated requests [EXAMPLES=200]
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(filter-out tests bench,$(CODE))
	EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/e2e/test_schemathesis.py
	$(BIN)/uv tool run pip-audit --strict --disable-pip --requirement requirements.txt

.PHONY: format
format: $(VENV)/development.stamp ## put the code into its style
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: protos
protos: gen/descriptors.binpb ## generate code and descriptors from protos/

.PHONY: bench
bench: $(VENV)/development.stamp gen/descriptors.binpb ## measure the platform beside its limits and peers
	@exec $(BIN)/python -m bench

.PHONY: cluster-secrets
cluster-secrets: $(VENV)/runtime.stamp gen/descriptors.binpb ## make the secrets of k8s/overlays/dev
	@exec $(BIN)/python -m devstack cluster-secrets

.PHONY: image
image: ## build the image of all programs [IMAGE=opsfield:latest]
	docker build --file deploy/image/Dockerfile --tag "$(IMAGE)" --build-arg REVISION="$$(git rev-parse HEAD)" .

.PHONY: standins
standins: ## build stand-ins for its base images, on a machine that cannot pull any (as root) [ARGS=observability]
	tools/standins/build $(ARGS)

.PHONY: compose-secrets
compose-secrets: $(VENV)/runtime.stamp gen/descriptors.binpb ## make what is missing of .compose (keys, passwords) and .env
	@exec $(BIN)/python -m devstack compose-secrets

.PHONY: up
up: compose-secrets image ## start everything on Docker Compose
	$(COMPOSE) up --detach

.PHONY: down
down: ## stop what `make up` started; its data stays
	$(COMPOSE) down

.PHONY: test-compose
test-compose: $(VENV)/development.stamp gen/descriptors.binpb ## run the e2e tests against `RATE_LIMIT_PER_MINUTE=0 make up` [ARGS="-k name"]
	@OPSFIELD_URL=http://127.0.0.1:8080 OPSFIELD_JWT_SECRET_FILE=.compose/jwt-dev-secret OPSFIELD_KAFKA=127.0.0.1:9094 \
		OPSFIELD_TESTS_HOST=$$(docker network inspect opsfield_default --format '{{(index .IPAM.Config 0).Gateway}}') \
		$(BIN)/python -m pytest tests/e2e $(ARGS)

.PHONY: requirements
requirements: $(BIN)/uv ## pin anew what requirements*.in name
	$(BIN)/uv pip compile $(PIN) requirements-uv.in --output-file requirements-uv.txt
	$(BIN)/uv pip compile $(PIN) requirements.in --output-file requirements.txt
	$(BIN)/uv pip compile $(PIN) requirements-devstack.in --output-file requirements-devstack.txt
	$(BIN)/uv pip compile $(PIN) requirements-dev.in --output-file requirements-dev.txt
	$(BIN)/uv pip compile $(PIN) requirements-agentfield.in --output-file requirements-agentfield.txt

.PHONY: clean
clean: ## remove what was built and cached, but neither .venv* nor the data in .devstack
	rm -rf gen gen.new .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

PIN := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make requirements"

gen/descriptors.binpb: $(PROTOS) tools/protos.py | $(VENV)/runtime.stamp
	@$(BIN)/python tools/protos.py

INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes

# Two sets, so that running the platform installs no test tools. The larger one includes the smaller.
$(VENV)/runtime.stamp: requirements-devstack.txt | $(BIN)/uv
	@echo "installing what the platform needs (once; it takes a minute)"
	@$(INSTALL) --python $(BIN)/python --requirement requirements-devstack.txt
	@touch $@

$(VENV)/development.stamp: requirements-dev.txt | $(BIN)/uv
	@echo "installing what tests and checks need (once; it takes a minute)"
	@$(INSTALL) --python $(BIN)/python --requirement requirements-dev.txt
	@touch $(VENV)/runtime.stamp $@

$(SDK)/stamp: requirements-agentfield.txt | $(BIN)/uv
	@echo "installing AgentField's SDK, for tests (once; it takes a minute)"
	@$(BIN)/python -m venv --without-pip $(SDK)
	@$(INSTALL) --python $(SDK)/bin/python --requirement requirements-agentfield.txt
	@touch $@

$(BIN)/uv: requirements-uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.txt
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON) on this machine: install Python 3.11 or newer, or name one with PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: install a newer one, or name one with PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv module: install it (on Debian and Ubuntu the package python3-venv)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

# Every task of the house. `make` alone prints what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

CARGO ?= cargo
PYTHON ?= python3
TOOLS := .tools
BUF := $(TOOLS)/npm/node_modules/.bin/buf
# Where cargo was told to install tools for this checkout; searched first.
export PATH := $(CURDIR)/$(TOOLS)/bin:$(PATH)
# Installing system packages needs root; only what is missing is installed.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT_INSTALL = command -v apt-get >/dev/null || { echo "please install $(1) with your package manager" >&2; exit 1; }; \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get install -y -q $(1) || { apt-get update -q && apt-get install -y -q $(1); }'
# What runs in every setting, and in which one `make journeys` does.
JOURNEYS := $(addprefix --test ,journey_audit journey_enrol_and_verify journey_recovery_codes journey_temporary_access_pass journey_throttling concurrency)
SETTING ?= single
# nextest runs each test in a process of its own, and faster; without it plain `cargo test` runs the same tests.
# Building it takes longer than the tests do, so it is used where it is and not installed.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
ifeq ($(NEXTEST),yes)
RUN_TESTS := $(CARGO) nextest run --workspace --locked --no-fail-fast
RUN_JOURNEYS := $(CARGO) nextest run -p countersign-tests --locked --no-fail-fast $(JOURNEYS)
else
RUN_TESTS := $(CARGO) test --workspace --locked --no-fail-fast --lib --bins --tests
RUN_JOURNEYS := $(CARGO) test -p countersign-tests --locked --no-fail-fast $(JOURNEYS)
endif
# How long `make fuzz` gives each target, in seconds.
FUZZ_SECONDS ?= 10
# Pages that are written by the code that they describe.
GENERATED := docs/errors.md docs/events.md docs/access.md

.PHONY: help
help: ## Print this
	@echo "Countersign: a self-hosted, event-sourced MFA platform"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start a server on ./data, show a whole sign-in against it, keep it running
	$(CARGO) run --locked -p countersign -- demo --serve --data-dir data

.PHONY: run-cluster
run-cluster: $(TOOLS)/venv/.stamp ## Run three NATS servers and two replicas of every service, and a sign-in against them
	$(CARGO) build --locked -p countersign
	$(PYTHON) deploy/cluster/run.py --nats-server $(TOOLS)/venv/bin/nats-server \
		--program "$$($(CARGO) metadata --no-deps --format-version 1 | $(PYTHON) -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/countersign" \
		$(CLUSTER_FLAGS)

.PHONY: test
test: tools proto-lint ## Run every test, with the tools and real servers they need
	$(CARGO) build --locked --workspace --bins
	$(RUN_TESTS)
	$(CARGO) test --workspace --locked --doc
	$(MAKE) journeys SETTING=jetstream
	$(MAKE) journeys SETTING=kurrentdb

# The journeys do not know in which setting they run: in one process on the embedded log, which is how `make test` runs them
# first, or over separate processes that share a log.
.PHONY: journeys
journeys: tools ## Run the journeys in one setting: SETTING=single, jetstream or kurrentdb
	$(CARGO) build --locked --workspace --bins
	COUNTERSIGN_TEST_SETTING=$(SETTING) $(RUN_JOURNEYS)

.PHONY: fmt
fmt: $(BUF) ## Format Rust and proto
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
	$(BUF) format -w proto

.PHONY: lint
lint: proto-lint ## Check formatting, clippy and proto style
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: proto-lint
proto-lint: $(BUF)
	$(BUF) lint proto
	$(BUF) format --diff --exit-code proto

# What was released is what others were promised; before the first release nobody was promised anything.
.PHONY: proto-breaking
proto-breaking: $(BUF) ## Check that the schema breaks nothing that the newest release promised
	@tag="$$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)" || tag=; \
	if [ -z "$$tag" ]; then \
		echo "proto-breaking: there is no release tag, so there is nothing to compare the schema with"; \
	else \
		echo "$(BUF) breaking proto --against $$tag"; \
		$(BUF) breaking proto --against ".git#tag=$$tag,subdir=proto"; \
	fi

.PHONY: docs
docs: generated ## Build the API documentation of the code and write the generated pages
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# The test that guards the generated pages also writes them.
.PHONY: generated
generated:
	COUNTERSIGN_WRITE_DOCS=1 $(CARGO) test -q --locked -p countersign-tests --test generated_docs

.PHONY: generated-clean
generated-clean: generated
	@for page in $(GENERATED); do \
		{ git ls-files --error-unmatch $$page >/dev/null && git diff --exit-code -- $$page; } \
			|| { echo "$$page is stale: run 'make docs' and commit it" >&2; exit 1; }; \
	done

.PHONY: bench
bench: ## Measure the verification path against its durable floor
	$(CARGO) build --release --locked -p countersign
	$(CARGO) run --release --locked -p countersign-bench

# The tools come with the Python ones, as built programs: from their source they take longer than everything else here.
.PHONY: audit
audit: $(TOOLS)/venv/.stamp ## Check dependencies: licences, doors, sources, and advisories where RustSec can be reached
	PATH="$(CURDIR)/$(TOOLS)/venv/bin:$$PATH" tests/audit/run
	PATH="$(CURDIR)/$(TOOLS)/venv/bin:$$PATH" .ci/audit

.PHONY: fuzz
fuzz: ## Fuzz every decoder of foreign bytes: FUZZ_SECONDS=10 each, or only FUZZ=name
	SECONDS_EACH=$(FUZZ_SECONDS) fuzz/run $(FUZZ)

.PHONY: tools
tools: $(TOOLS)/venv/.stamp $(BUF) oathtool ## Install what the tests need: oathtool, Python clients, buf

.PHONY: oathtool
oathtool:
	@command -v oathtool >/dev/null || { $(call APT_INSTALL,oathtool); }

$(TOOLS)/venv/.stamp: tests/python/requirements.txt
	@mkdir -p $(TOOLS)
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { $(call APT_INSTALL,python3 python3-venv); }
	$(PYTHON) -m venv $(TOOLS)/venv
	$(TOOLS)/venv/bin/python -m pip install -q --disable-pip-version-check -r tests/python/requirements.txt
	@touch $@

# No lock file: it would pin one platform's binary. The package pins its binaries to its own version.
# No install scripts: they would only fetch what the packages already hold.
$(BUF): tests/npm/package.json
	@command -v npm >/dev/null || { $(call APT_INSTALL,nodejs npm); }
	@mkdir -p $(TOOLS)/npm
	@cp tests/npm/package.json $(TOOLS)/npm/package.json
	npm install --prefix $(TOOLS)/npm --no-package-lock --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.PHONY: ci
ci: ## Run exactly what CI runs
	$(MAKE) lint
	$(MAKE) proto-breaking
	$(MAKE) audit
	$(MAKE) test
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(MAKE) generated-clean
	$(MAKE) fuzz FUZZ_SECONDS=5

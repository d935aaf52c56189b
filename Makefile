# `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help

CARGO ?= cargo
# debug or release: what `make run` and `make up` build.
PROFILE ?= debug
RELEASE := $(if $(filter release,$(PROFILE)),--release,)
STACK := target/$(PROFILE)/gateway-stack

# One build for everything that is not shipped. It arms the sandbox's switches in every binary of
# the workspace, also in target/debug/gateway-worker, which then refuses to start: what is shipped
# is built alone, by `make release`.
BUILD := $(CARGO) build --workspace --bins

# PART=accept, sends, latency, memory, lane, crowd, scale, webhooks or media measures only that.

# The build script of waproto 0.7 writes a file that it also asks cargo to watch, so the next cargo
# would take it for changed and build the crate, and all that depends on it, once more.
SETTLE = @find target -name whatsapp.local.desc -path '*/out/*' -exec touch -d @0 {} + 2>/dev/null || true

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
ifeq ($(REAL),1)
run: redis
	$(CARGO) build --release -p gateway-api -p gateway-worker -p gateway-tests --bins
	@target/release/gateway-stack run --real
else
run: redis ## Start everything here and watch a message go through (REAL=1: the real WhatsApp)
	$(BUILD) $(RELEASE)
	$(SETTLE)
	@$(STACK) run
endif

.PHONY: up
up: redis ## Start everything in the background; .run/stack.json says where
	$(BUILD) $(RELEASE)
	$(SETTLE)
	@$(STACK) up

.PHONY: down
down: ## Stop what `make up` started
	@test ! -x $(STACK) || $(STACK) down

.PHONY: status
status: ## Say what runs
	@test -x $(STACK) && $(STACK) status || echo "nothing was built yet"

SCHEMATHESIS := $(CURDIR)/target/schemathesis/bin/schemathesis

.PHONY: test
test: redis chromium faketime ffmpeg build-test ## Run every test against real Redis, real processes and the sandbox
	@# The API is tried by its document (schemathesis, in one thread: Python 3.11 can not parse code in
	@# several at once) for half a minute, always in the same way; `make schemathesis` does it at length.
	@without="$$(.ci/tools)" || exit 1; \
	export GATEWAY_TESTS_WITHOUT="$$without" SCHEMATHESIS="$$(ls $(SCHEMATHESIS) 2>/dev/null)" \
		SCHEMATHESIS_ARGS="--max-examples 3 --seed 1 --generation-deterministic"; \
	if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --workspace; \
	else $(CARGO) test --workspace --lib --bins --tests; fi && \
	echo "all tests passed$${without:+, without those that need$$without}"

CHAOS = $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	$(if $(WORKERS),--workers $(WORKERS)) $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(CLUSTER),--cluster)

.PHONY: chaos
chaos: redis faketime ## Break everything while clients send: SECONDS=60 SEED= WORKERS=3 SESSIONS=9 CLUSTER=1
	$(BUILD) $(RELEASE)
	$(SETTLE)
	@target/$(PROFILE)/gateway-chaos $(CHAOS)

.PHONY: takeover
takeover: redis faketime ## Measure how long sessions are without service at a kill and a hand-over: SESSIONS=100
	$(BUILD) $(RELEASE)
	$(SETTLE)
	@target/$(PROFILE)/gateway-chaos takeover $(if $(SESSIONS),--sessions $(SESSIONS))

.PHONY: build-test
build-test:
	@# The worker as it ships first: a test wants it, and the next build takes its place again.
	$(CARGO) build -p gateway-worker --bins
	$(SETTLE)
	$(BUILD) --tests
	$(SETTLE)

.PHONY: bench
bench: redis ## Measure against the plain thing, side by side, into .run/bench.json (BENCH_QUICK=1: short)
	$(BUILD) --release
	$(SETTLE)
	@target/release/gateway-bench $(or $(PART),all)

# Another revision of whatsapp-rust, or a path of one: what differs before it is taken.
.PHONY: compat
compat: redis ## Build and test against another whatsapp-rust, and print what differs: REV=<commit, tag or path>
	@.ci/compat "$(REV)"

.PHONY: check
check: ## Format, lints, licences, spelling: exactly what CI checks
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(SETTLE)
	@$(call if-installed,cargo-deny,cargo deny --log-level error check)
	.ci/dependencies
	-@.ci/spelling

# What would take longer to build than everything else is used where it is installed; .ci/dependencies
# checks what can be checked without it.
if-installed = if command -v $(1) >/dev/null 2>&1; then echo "$(2)"; $(2); \
	else echo "$(1) is not installed, skipped (cargo install --locked $(patsubst typos,typos-cli,$(1)))"; fi

.PHONY: schemathesis
schemathesis: redis build-test ## Try every operation of the API with at least 10,000 requests
	@.ci/tools >/dev/null
	SCHEMATHESIS=$(SCHEMATHESIS) SCHEMATHESIS_AT_LEAST=10000 \
		SCHEMATHESIS_ARGS="--continue-on-failure --max-examples 200" \
		$(CARGO) test --workspace --test e2e schemathesis -- --nocapture

.PHONY: openapi
openapi: ## Write docs/openapi.json anew, after a route or its documentation changed
	UPDATE_OPENAPI=1 $(CARGO) test --workspace --lib openapi

.PHONY: tidy
tidy: ## Spelling and unused crates: what `make check` reports and does not fail for
	.ci/spelling
	.ci/dependencies --strict

.PHONY: clients
clients: ## Lint docs/openapi.json, and generate and compile clients from it (TypeScript, Python)
	@.ci/clients

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: lint
lint: ## Lints only
	$(CARGO) clippy --workspace --all-targets -- -D warnings

.PHONY: build
build: ## Build everything, with the sandbox
	$(BUILD) $(RELEASE)

.PHONY: release
release: ## Build what ships: gateway-api and gateway-worker, without any of the sandbox's switches
	$(CARGO) build --release --locked -p gateway-api -p gateway-worker --bins

# Tests of pages are done in a real browser.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 \
		|| command -v google-chrome >/dev/null 2>&1 || .ci/install chromium

.PHONY: redis
redis:
	@command -v redis-server >/dev/null 2>&1 || .ci/install redis-server

# Moves the wall clock of single processes, for the tests of what a wrong clock does.
.PHONY: faketime
faketime:
	@command -v faketime >/dev/null 2>&1 || .ci/install faketime

# What tests of films and sound are made with, and what converts them.
.PHONY: ffmpeg
ffmpeg:
	@command -v ffmpeg >/dev/null 2>&1 || .ci/install ffmpeg

# `make demo` and `make test` do all their set-up themselves; see deploy/setup.sh.

# Where the machine has no Node.js, deploy/setup.sh puts one here.
export PATH := $(CURDIR)/target/node/bin:$(PATH)

DASHBOARD_SOURCES := $(shell find dashboards -type f -not -path '*/node_modules/*' -not -path '*/dist/*')

.PHONY: demo test lint bench evaluate fuzz faults load conformance dashboard setup-build setup-test \
	setup-bench setup-conformance setup-peers setup-profiles profiles

## demo: simulate attacks, run the pipeline on them, serve the dashboard
demo: setup-build dashboard
	cargo build --release --locked -p egret
	target/release/egret demo

## test: every test
test: setup-test dashboard
	tests/run.sh

## lint: formatting, clippy, dependencies
lint: setup-build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --features egret/docker,egret/kubernetes,egret/kafka \
		-- -D warnings
	cd dashboards && npm run --silent check
	@if command -v cargo-deny >/dev/null; then cargo deny --all-features check; \
	else echo "cargo-deny is not here (cargo install cargo-deny): dependencies not checked"; fi

## bench: how fast, next to the tools people know
bench: setup-bench dashboard
	cargo build --release --locked -p egret -p egret-tests --bins
	target/release/egret-bench

## evaluate: how many simulated attacks are found, how soon, and at what price in false alarms; with
## DATA=FOLDER, on public data about real hosts too; with PEERS=1, next to other ways to judge
evaluate: setup-build $(if $(PEERS),setup-peers) dashboard
	cargo build --release --locked -p egret -p egret-tests --bin egret --bin egret-evaluate
	target/release/egret-evaluate
	$(if $(DATA),target/release/egret-evaluate --real "$(DATA)")
	$(if $(PEERS),target/release/egret-evaluate --peers)

## conformance: what others see in public captures (DATA=FOLDER), next to what egret sees
conformance: setup-conformance
	cargo build --locked -p egret
	tests/conformance/run.sh "$(DATA)"

## profiles: records what real programs send (PROGRAMS="pip-install …"; all), as root: they need the
## registries; egret/src/simulate/profiles
profiles: setup-profiles
	target/profiles-python/bin/python tests/profiles/record.py $(PROGRAMS)

## faults: what happens when things go wrong under a running egret (tests/FAULTS.md)
faults: setup-test
	tests/faults.sh

## load: as much traffic as this machine carries, LOAD_SECONDS each time (60): tests/LOAD.md
load: setup-test dashboard
	tests/load.sh

## fuzz: every parser, FUZZ_SECONDS each (300), FUZZ_JOBS at a time (a core each)
fuzz:
	tests/fuzz/run.sh

## dashboard: the page that is embedded in the binary
dashboard: dashboards/dist/.built

dashboards/dist/.built: $(DASHBOARD_SOURCES) | setup-build
	cd dashboards && npm run --silent build
	touch $@

setup-build:
	@deploy/setup.sh build

setup-test:
	@deploy/setup.sh test

setup-bench:
	@deploy/setup.sh bench

setup-conformance:
	@deploy/setup.sh conformance

setup-peers:
	@deploy/setup.sh peers

setup-profiles:
	@deploy/setup.sh profiles

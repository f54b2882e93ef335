# `make` shows what there is. Everything here also works without make: the
# commands are the ones to type.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 10s
BENCH ?= relay consumer latency append

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "%-16s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/factline
	$(GO) build -o bin/factline ./cmd/factline

.PHONY: up
up: ## Run the whole platform on this machine; Ctrl-C ends it
	$(GO) run ./cmd/factline up

.PHONY: test
test: ## Run every test, on a real PostgreSQL and the embedded broker
	$(GO) test ./...

.PHONY: test-large
test-large: ## Redrive 100,000 dead letters, killed half-way and resumed (about a minute)
	FACTLINE_LARGE=1 $(GO) test -count=1 -v -run KilledHalfWay ./deadletter

.PHONY: test-pairs
test-pairs: ## Compare 100,000 random pairs of schemas and check every verdict (half a minute)
	$(GO) test -count=1 -v -run RandomPairs ./contract/compat -pairs 100000

# They share nothing between goroutines, or test by starting other processes, and
# would take half the time of all.
ALONE := cmd/factline|contract/compat|contract/generate|contracttest|docs/guide|internal/archtest

.PHONY: test-race
test-race: ## Run the tests under the race detector where goroutines share something (needs a C compiler)
	$(GO) test -race -p 2 -timeout 15m $$($(GO) list ./... | grep -vxE 'factline.dev/($(ALONE))')

.PHONY: lint
lint: ## Run the linters and check the format
	$(TOOL) golangci-lint run ./...

.PHONY: fmt
fmt: ## Format the code and order imports
	$(TOOL) golangci-lint fmt

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for FUZZTIME (10s)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's/:func /:/' | sort | \
	while IFS=: read -r file target; do \
		$(GO) test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) "$$(dirname "$$file")"; \
	done

.PHONY: bench
bench: build ## Measure beside simpler ways on this machine: BENCH="relay append"
	for subject in $(BENCH); do bin/factline bench "$$subject"; done

.PHONY: bench-peers
bench-peers: ## Measure beside Watermill, Debezium and Spring Kafka (needs Java 17 and Maven): PEERS="relay"
	cd bench && $(GO) run . $(PEERS)

.PHONY: prove
prove: build ## Break the system on purpose and check that nothing was lost or doubled
	bin/factline prove slice

.PHONY: prove-storm
prove-storm: build ## Cut every connection for five minutes and check that nothing was lost, doubled or reordered
	bin/factline prove storm

.PHONY: prove-kafka
prove-kafka: build ## The same and the suites of relay and consumer, on a real Apache Kafka (needs Java 17 and Maven)
	$(GO) test -count=1 -tags realkafka -run Kafka ./internal/devstack
	$(GO) run ./internal/withkafka -- bash -euc '$(GO) test -count=1 ./outbox/... ./consumer/...; bin/factline prove slice --kafka "$$FACTLINE_KAFKA"'

.PHONY: prove-prometheus
prove-prometheus: ## Scrape relay and consumer with a real Prometheus, and check the alert rules (needs prometheus and promtool)
	$(GO) test -count=1 -tags realprometheus ./deploy/prometheus

.PHONY: mutants
mutants: ## Take each remedy out of a copy and expect its test to turn red: ONLY="24 " for some
	$(GO) run ./internal/mutants -only "$(ONLY)"

.PHONY: generate
generate: ## Write what is generated: docs/catalogue, the guides below docs/guide, and the event types and contract tests of the platform
	$(GO) generate ./...

.PHONY: verify
verify: ## Fail when a generated file or go.mod is out of date
	$(GO) run ./internal/docgen -check
	$(GO) run ./internal/eventgen -check
	$(GO) mod tidy -diff

.PHONY: asyncapi
asyncapi: ## Read docs/catalogue/asyncapi.json with the official parser (needs Node and npm)
	cd tools/asyncapi && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
	node tools/asyncapi/check.js docs/catalogue/asyncapi.json

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the code calls (needs the network)
	$(TOOL) govulncheck ./...

.PHONY: ci
ci: ## Everything that must pass before a merge
	bash .ci/run

# The build tag keeps go-mysql-server from linking the system's ICU.
export GOFLAGS := -tags=gms_pure_go
BIN := bin/tael-sql
# Packages that link go-mysql-server run without the race detector: they are slow to build with it.
PLAIN := ./sqlplan/... ./internal/session/... ./cmd/...
RACE := ./catalog/... ./engine/... ./internal/arch/... ./internal/exec/... ./internal/expr/... \
	./internal/ingest/... ./internal/otlp/... ./internal/pgerr/... ./internal/pgtypes/... \
	./internal/vector/... ./pgwire/... ./tables/... ./wal/...

.PHONY: help build docs demo test check bench bench-smoke crash eval fuzz clients clients-smoke dist run clean
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/tael-sql
	go build -o $(BIN) ./cmd/tael-sql

demo: build ## run the gateway on simulated services, print a tour of queries, stay up
	$(BIN) demo

run: build ## run the gateway on ./tael-data
	$(BIN) serve

test: ## run all tests; needs no service
	go test -race -timeout 20m $(RACE)
	go test $(PLAIN)
	cd engine/object/s3test && go test ./...

check: ## formatting, vet, static analysis, unused code
	test -z "$$(go tool gofumpt -l .)" || { go tool gofumpt -l .; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	test -z "$$(go tool deadcode -tags gms_pure_go -test ./... | tee /dev/stderr)"

bench: build ## micro benchmarks, then OTelBench against DuckDB: SCALE=1 make bench
	cd bench && go run . -binary ../$(BIN) -scale $(or $(SCALE),1)
	go test -run '^$$' -bench . -benchtime 300ms ./engine/... ./wal/... ./internal/exec/... ./internal/expr/... ./internal/otlp/...

bench-smoke: build ## OTelBench, small: every value compared, no time asserted; parts read by DuckDB and pandas
	python3 -c 'import pandas, pyarrow' 2>/dev/null || test -d $(CLIENTS_HOME)/python || \
		pip install -q --target $(CLIENTS_HOME)/python pandas pyarrow || echo 'no pandas: its test is left out'
	cd bench && go vet ./... && PYTHONPATH=$(CLIENTS_HOME)/python go test . && go run . -binary ../$(BIN) -scale 0.01 -rounds 3

SECS ?= 600
# What stands still that long says where.
FAULT_LIMIT = $(shell expr 2 \* $(SECS) + 600)s
FAULTS := $(abspath bin/faults)
crash: ## every way of doing harm, SECS seconds in all, with the planted bugs that each sees
	mkdir -p $(FAULTS)
	go test -c -o $(FAULTS) ./wal ./engine ./cmd/tael-sql
	cd engine && $(FAULTS)/engine.test -test.run '^(TestFaults|TestPlantedBugs)$$' -test.timeout $(FAULT_LIMIT) -fault-seconds $$(( $(SECS) * 75 / 100 ))
	cd wal && $(FAULTS)/wal.test -test.run '^(TestCrashes|TestPlantedBugs)$$' -test.timeout $(FAULT_LIMIT) -fault-seconds $$(( $(SECS) * 5 / 100 + 1 ))
	cd cmd/tael-sql && $(FAULTS)/tael-sql.test -test.run '^TestKilled$$' -test.timeout $(FAULT_LIMIT) -fault-seconds $$(( $(SECS) * 20 / 100 ))

eval: ## ask anomalies() about faults in generated systems and labelled incidents of two real ones: how often the culprit comes first, and false alarms
	go test ./cmd/tael-sql -count=1 -timeout 0 -run '^TestEvaluation$$' -evaluate -v | grep -v '^=== '

# Counted, not timed: a worker that is busy when the time is up reports the
# deadline as a failure of the target.
EXECS ?= 1000000
fuzz: ## every fuzz target EXECS times
	go test ./wal -run '^$$' -fuzz FuzzOpen -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./wal/record -run '^$$' -fuzz FuzzDecode -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./wal/record -run '^$$' -fuzz FuzzWriteSet -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./engine/block -run '^$$' -fuzz FuzzBlock -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./pgwire -run '^$$' -fuzz FuzzStartup -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./pgwire -run '^$$' -fuzz FuzzMessages -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./internal/ingest/redact -run '^$$' -fuzz FuzzRewrite -fuzztime $(EXECS)x -fuzzminimizetime 1x
	go test ./internal/ingest/remotewrite -run '^$$' -fuzz FuzzTranslate -fuzztime $(EXECS)x -fuzzminimizetime 1x

# What the clients' tests install is kept from run to run. ARGS=-rewrite takes
# what is answered now as what is expected, and what no longer differs out of
# docs/differences.md.
CLIENTS := cmd/tael-sql/clients
export CLIENTS_HOME ?= $(HOME)/.cache/tael-sql-clients
clients-smoke: build ## psql, drivers, postgres_fdw, captured statements, SQL and 400 generated queries, over the gateway and PostgreSQL 15
	bash $(CLIENTS)/install.sh smoke $(CLIENTS_HOME)
	cd $(CLIENTS) && go test -count=1 -args -binary ../../../$(BIN) $(ARGS)

clients: build ## clients-smoke with more client programs, the suites of pgx and lib/pq, 20,000 generated queries and sqlsmith's
	bash $(CLIENTS)/install.sh all $(CLIENTS_HOME)
	cd $(CLIENTS) && go test -count=1 -args -binary ../../../$(BIN) -all $(ARGS)

docs: ## write docs/reference.md, and what the blocks of the other pages print
	go test ./cmd/tael-sql -count=1 -run 'TestReference|TestQuestions|TestGettingStarted' -rewrite-docs

VERSION ?= 0.0.0
DIST := bin/dist
dist: ## release archive, Debian package, OCI image, SBOM and checksums under bin/dist, of a static binary: VERSION=1.2.3 make dist
	go build -trimpath -tags 'gms_pure_go netgo osusergo' -o bin/tael-sql.static \
		-ldflags '-s -w -buildid= -X main.version=$(VERSION) -linkmode external -extldflags "-static"' ./cmd/tael-sql
	cd packaging && go vet . && go test . && go run . -binary ../bin/tael-sql.static -version $(VERSION) -arch $$(go env GOARCH) \
		-epoch $${SOURCE_DATE_EPOCH:-$$(git -C .. log -1 --format=%ct)} -out ../$(DIST)
	cat $(DIST)/SHA256SUMS

clean: ## remove what the build and the demo left
	rm -rf bin tael-data

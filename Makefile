# The two commands that everybody needs are "make demo" and "make test".
GO ?= go
FUZZTIME ?= 2s
export CGO_ENABLED = 1
# SQLite as its authors advise to compile it, of which the driver leaves out: to
# flush the log without the file's times, which halves the slowest logins, and to
# count no memory. What is built without these does the same.
export CGO_CFLAGS = -O2 -g -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_MAX_EXPR_DEPTH=0 -DSQLITE_USE_ALLOCA

.PHONY: help demo test bench build lint soak clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

demo: build ## the whole story on embedded samples, on loopback, in a temporary folder
	@bin/mfabridge demo

build: ## the program, as bin/mfabridge (the first time compiles SQLite: a minute or two)
	@$(GO) build -trimpath -o bin/mfabridge ./cmd/mfabridge

test: ## everything that CI checks; installs the Debian packages it needs where it may
	@scripts/peers.sh install & failed=0; $(MAKE) --no-print-directory lint || failed=$$?; \
	  wait $$! || failed=$$?; exit $$failed
	@scripts/test.sh
	@scripts/fuzz.sh $(FUZZTIME)
	@scripts/peers.sh report

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools.mod staticcheck ./...

bench: ## the figures of docs/figures.md, each with its anchor measured beside
	@scripts/bench.sh

soak: ## the long rounds: hundreds of kills, millions of numbers, minutes per fuzz target
	@scripts/peers.sh install
	MFABRIDGE_SOAK=1 $(GO) test -timeout 120m ./...
	@scripts/fuzz.sh 2m

clean: ## what building left behind
	rm -rf bin

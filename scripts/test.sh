#!/usr/bin/env bash
# Runs all tests with the race detector. Those of the command take as long as all
# others together, so they begin at once and have a core for themselves.
set -euo pipefail
go=${GO:-go}
cores=$(nproc)

"$go" build -race ./... # or both would compile SQLite
mapfile -t packages < <("$go" list ./... | grep -v '/cmd/mfabridge$')
set -m # a process group of their own: their tests do not have SIGINT ignored
"$go" test -race -timeout 30m -p $((cores > 1 ? cores - 1 : 1)) "${packages[@]}" &
others=$!
set +m
trap 'kill -INT -- "-$others" 2>/dev/null || true' EXIT
trap 'exit 130' INT

failed=0
"$go" test -race -timeout 30m ./cmd/mfabridge || failed=$?
wait "$others" || failed=$?
exit "$failed"

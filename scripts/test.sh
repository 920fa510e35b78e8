#!/usr/bin/env bash
# Runs all tests with the race detector, in two lanes that take about as long as
# each other, with a core for each: the cloud's, and all others.
set -euo pipefail
go=${GO:-go}
cores=$(nproc)
lane=$((cores > 1 ? cores / 2 : 1))
# Each program with the race detector would wait for a second before it ends, and
# the tests of the command run a great many.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"

"$go" build -race ./... # or both would compile SQLite
mapfile -t others < <("$go" list ./... | grep -v '^mfabridge/cloud')
set -m # a process group of its own: its tests do not have SIGINT ignored
"$go" test -race -timeout 30m -p "$lane" ./cloud/... &
cloud=$!
set +m
trap 'kill -INT -- "-$cloud" 2>/dev/null || true' EXIT
trap 'exit 130' INT

failed=0
"$go" test -race -timeout 30m -p "$lane" "${others[@]}" || failed=$?
wait "$cloud" || failed=$?
exit "$failed"

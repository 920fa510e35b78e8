#!/usr/bin/env bash
# Runs all tests, in two lanes that take about as long as each other, with a core
# for each. All run with the race detector but the longest of the command: they
# start the whole program hundreds of times, each time for one thing, which takes
# five times as long with it. What the program is made of is tested with it.
set -euo pipefail
go=${GO:-go}
cores=$(nproc)
lane=$((cores > 1 ? cores / 2 : 1))
command='mfabridge/cmd/mfabridge'
long='^Test(Apply|Contoso|Documents|Scripts|.*SurvivesKills)'
# Each program with the race detector would wait for a second before it ends.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"

"$go" build -race ./... # or both would compile SQLite
mapfile -t beside < <("$go" list ./... | grep -E '^mfabridge/(cloud|internal|legacy|shim)(/|$)')
mapfile -t others < <("$go" list ./... | grep -vE "^($command$|mfabridge/(cloud|internal|legacy|shim)(/|$))")
set -m # a process group of its own: its tests do not have SIGINT ignored
"$go" test -race -timeout 30m -p "$lane" "${beside[@]}" &
first=$!
set +m
trap 'kill -INT -- "-$first" 2>/dev/null || true' EXIT
trap 'exit 130' INT

failed=0
"$go" test -race -timeout 30m -skip "$long" "$command" || failed=$?
"$go" test -timeout 30m -run "$long" "$command" || failed=$?
"$go" test -race -timeout 30m -p "$lane" "${others[@]}" || failed=$?
wait "$first" || failed=$?
exit "$failed"

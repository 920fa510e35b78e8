#!/usr/bin/env bash
# Runs all tests, in three lanes at once: much of a test is waiting for somebody,
# which leaves the cores to the others. All run with the race detector but those of
# the command that move users, complete or explain: they start the whole program
# hundreds of times, each time for one thing, which takes five times as long with
# it. What the program is made of is tested with it, and so is all that serves.
set -euo pipefail
go=${GO:-go}
command='mfabridge/cmd/mfabridge'
once='^Test(Apply|Completion|Contoso|Demo|Documents|Explain|HelpOf|Inspect|Interrupt$|Progress|ReaderGoes|Scripts|SecondInterrupt|TwoRuns|Undo|.*(FullDisk|SurvivesKills))'
# Each program with the race detector would wait for a second before it ends.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"

said=$(mktemp)
trap 'rm -f "$said"' EXIT

# lane runs the tests of packages, which "make lint" has vetted, each for a time at most.
lane() { "$go" test -vet=off -timeout "$@" 2>&1 | tee -i -a "$said"; }

"$go" build -race ./... # or each lane would compile SQLite
mapfile -t others < <("$go" list ./... | grep -vx "$command")
set -m # process groups of their own: their tests do not have SIGINT ignored
lane 15m -race "${others[@]}" & lanes=($!)
lane 22m -race -skip "$once" "$command" & lanes+=($!)
{
  failed=0
  lane 22m -run "$once" "$command" || failed=$?
  # A million and a half telephone numbers, which is too much for the race detector.
  MFABRIDGE_SOAK=1 lane 15m -run TestLibraryEquality mfabridge/legacy/phone || failed=$?
  exit "$failed"
} & lanes+=($!)
set +m
trap 'for l in "${lanes[@]}"; do kill -INT -- "-$l" 2>/dev/null || true; done; rm -f "$said"' EXIT
trap 'exit 130' INT

failed=0
for l in "${lanes[@]}"; do
  wait "$l" || failed=$?
done
if [ "$failed" -ne 0 ]; then
  echo "what failed, and is told of above:"
  grep -E '^ *--- FAIL|^FAIL|^panic: |^fatal error: |^WARNING: DATA RACE' "$said" | sort -u || true
fi
exit "$failed"

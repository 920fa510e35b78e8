#!/usr/bin/env bash
# Runs every fuzz target of the repository for a while, one after the other.
#   fuzz.sh TIME    e.g. 3s in "make test", 5m in "make soak"
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}
go=${GO:-go}
count=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz runs one target. The go command now and then reports its own deadline as
# a failure, when a worker is busy as the time is over; that has no failing
# input, and is tried again.
fuzz() { # package, target
  for _ in 1 2 3; do
    "$go" test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" >"$log" 2>&1 && return
    grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || break
    echo "  its time was over while a worker was busy; once more"
  done
  cat "$log"
  exit 1
}
for package in $("$go" list ./...); do
  dir=$("$go" list -f '{{.Dir}}' "$package")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do
    echo "fuzz $package $target for $time"
    fuzz "$package" "$target"
    count=$((count + 1))
  done
done
echo "fuzz targets run: $count"

#!/usr/bin/env bash
# Runs every fuzz target of the repository for a while, one after the other.
#   fuzz.sh TIME    e.g. 3s in "make test", 5m in "make soak"
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}
go=${GO:-go}
count=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for package in $("$go" list ./...); do
  dir=$("$go" list -f '{{.Dir}}' "$package")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do
    echo "fuzz $package $target for $time"
    "$go" test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >"$log" 2>&1 || {
      cat "$log"
      exit 1
    }
    count=$((count + 1))
  done
done
echo "fuzz targets run: $count"

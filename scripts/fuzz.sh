#!/usr/bin/env bash
# Runs every fuzz target of the repository for a while, one on each core, while
# those of the next package are built.
#   fuzz.sh TIME    e.g. 2s in "make test", 5m in "make soak"
set -euo pipefail
time=${1:?usage: fuzz.sh TIME}
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fuzz runs one target of a package whose test program is built. A worker that
# is busy as the time is over is now and then reported as a failure; that has
# no failing input, and is tried again.
fuzz() { # program, folder, target
  local log
  log=$(mktemp -p "$work")
  for _ in 1 2 3 4 5 6; do
    (cd "$2" && "$1" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$time" -test.parallel 1 \
      -test.fuzzcachedir "$work/cache-$3") >"$log" 2>&1 && echo "fuzz ${2#"$PWD"/} $3 for $time" && return
    if ! grep -q 'context deadline exceeded' "$log" || grep -q 'Failing input' "$log"; then
      break
    fi
    echo "  $3: its time was over while a worker was busy; once more"
  done
  cat "$log"
  return 1
}
export -f fuzz
export work time

number=0
while IFS=$'\t' read -r package dir; do
  targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //') || continue
  number=$((number + 1))
  "$go" test -c -vet=off -fuzz=. -o "$work/$number.test" "$package"
  for target in $targets; do
    printf '%s\0%s\0%s\0' "$work/$number.test" "$dir" "$target"
  done
done < <("$go" list -f '{{.ImportPath}}{{"\t"}}{{.Dir}}' ./...) | tee "$work/targets" |
  xargs -0 -n 3 -P "$(nproc)" bash -c 'fuzz "$@" || exit 255' fuzz
echo "fuzz targets run: $(tr -cd '\0' <"$work/targets" | wc -c | awk '{print $1 / 3}')"

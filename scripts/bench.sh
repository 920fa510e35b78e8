#!/usr/bin/env bash
# Prints the figures of docs/figures.md, each with its anchor measured in the
# same run. Machines differ and are busy: compare the ratios.
set -euo pipefail
go=${GO:-go}
bench() { # package, pattern, rounds
  "$go" test "$1" -run '^$' -bench "$2" -benchtime "$3" -timeout 60m | grep -E '^(Benchmark|cpu:)' || { echo "no figures from $1 $2"; exit 1; }
}
echo "== plan: 1,000,000 users within 45 CPU seconds and 256 MiB, flat memory; their JSON within 20 CPU seconds (show);"
echo "   beside a raw bulk load of the rows of a plan of 100,000 (x-raw)"
bench ./cmd/mfabridge '^BenchmarkPlanProcess$' 1x
echo "== show: the page for a change board, 100,000 users within 5 CPU seconds and 30 MB, beside the JSON (x-json)"
bench ./cmd/mfabridge '^BenchmarkBoardProcess$' 1x
echo "== apply: at most 4 times the CPU of a raw bulk load of the same rows (x-raw), journal included"
bench ./cmd/mfabridge '^BenchmarkApplyProcess$' 1x
echo "== check: at most twice the CPU of reading the same rows (x-read); undo"
bench ./cmd/mfabridge '^BenchmarkCheckProcess$' 1x
echo "== engine: Write beside a raw bulk load, look-ups, verified codes with durable verdicts"
bench ./cloud/engine/store/sqlite '^BenchmarkWrite$' 1x
bench ./cloud/engine/store/sqlite '^Benchmark(Find|Verify)$' 2s
echo "== the same on PostgreSQL, with the CPU of its server added"
bench ./cloud/engine/store/postgres '^BenchmarkWrite$' 1x
bench ./cloud/engine/store/postgres '^Benchmark(Find|Verify)$' 2s
echo "== Entra ID: 50,000 users against the rehearsal at Graph's documented limits, on a virtual clock: 95 % of the budget, no change lost, flat memory"
MFABRIDGE_BENCH_USERS=50000 "$go" test ./cloud/graph -run '^TestBudget$' -v -timeout 60m | grep -E '^(BudgetOfGraph|---|    )'
echo "== engine over HTTP: /verify/v1 begin and answer, 4,000 a CPU second; client and server in one process, beside two bare requests of net/http"
bench ./cloud/remote '^BenchmarkLoginOverHTTP$' 5000x
echo "== the same with the engine as a process of its own, over TLS, its CPU alone, beside two bare requests of an HTTPS server"
bench ./cmd/mfabridge '^BenchmarkVerifyProcess$' 1x
echo "== native authentication: whole sign-ins without the hash of the password, 200 a CPU second"
bench ./cloud/engine/http/native '^BenchmarkSignIn$' 1000x
echo "== engine: 8,000 devices that hold streams open over TLS and 20,000 pushes that wait, within 512 MiB; pushes at 500 a second beside empty events through the same connections"
bench ./cmd/mfabridge '^BenchmarkPushProcess$' 1x
echo "== delivery: texts over HTTP and SMPP to a local peer, 2,000 a second, both ends in one process; what is kept afterwards"
bench ./cloud/engine/channel '^BenchmarkTexts(BySMPP)?$' 3s
bench ./cloud/engine/channel/smpp '^BenchmarkSend$' 2s
echo "== shim: CPU for a response beside a Go UDP echo; memory"
bench ./shim '.' 1x
bench ./shim/radius '.' 1s
echo "== shim and engine as one process, 60,000 users, every verdict durable: CPU for a login beside a Go UDP echo and FreeRADIUS with rlm_totp;"
echo "   2,000 logins a second, none lost, p99 beside echo and fdatasync; memory"
bench ./cmd/mfabridge '^BenchmarkShimProcess$' 1x
echo "== reading: CSV beside encoding/csv, XML at least 5 times as fast as encoding/xml, numbers beside the library"
bench ./legacy '^Benchmark(Splitter|EncodingCSV|OpenAndUsers|XMLTable)$' 3x
bench ./legacy/phone '.' 1s
echo "== reading: 1,000,000 users within 25 CPU seconds and 128 MiB, no more memory for other sizes and shapes"
bench ./legacy '^BenchmarkReadProcess$' 1x
echo "== sorting on disk"
bench ./internal/spill '.' 1s

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Waves one after the other, with a gate between them, come to the same end.
func TestApplyWavesAndGate(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	log := m.path("gate.log")
	script := m.write(t, "gate.sh", `#!/bin/sh
echo "$1 $MFABRIDGE_WAVE $MFABRIDGE_NEXT_WAVE $MFABRIDGE_WAVE_DONE $MFABRIDGE_WAVE_FAILED $MFABRIDGE_WAVE_STALE" >>"`+log+`"
cat
[ -z "$MFABRIDGE_NEXT_WAVE" ] || [ -e "`+m.path("open")+`" ]
`)
	gate := []string{"apply", m.plan, "--gate", "sh " + script + " 'two words'", "--format", "json"}
	r := mfabridge(t, gate...)
	if r.code != exitGate || !strings.Contains(r.err, "the gate behind wave pilot is not met: exit status 1") || !strings.Contains(r.out, `"type":"gate","wave":"pilot","next":"first","passed":false,"exit":1`) {
		t.Errorf("a closed gate: exit code %d, %s", r.code, r.err)
	}
	r = mfabridge(t, "apply", m.plan, "--wave", "pilot")
	if r.code != exitDone || !strings.Contains(r.out, "0 failed, 0 stale, 0 left") {
		t.Errorf("the pilot: exit code %d, %s", r.code, r.out)
	}
	m.write(t, "open", "")
	r = mfabridge(t, gate...)
	if r.code != exitDone {
		t.Fatalf("an open gate: exit code %d, %s", r.code, r.err)
	}
	m.whole(t, "done", r.out)
	for _, want := range []string{`{"type":"wave","wave":"pilot","state":"begin"`, `{"type":"wave","wave":"","state":"end"`, `{"type":"batch","wave":"first"`} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no line %s", want)
		}
	}
	asked, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(asked)), "\n")
	if len(lines) != 3 || lines[0] != lines[1] || !strings.HasPrefix(lines[0], "two words pilot first ") || !strings.HasPrefix(lines[2], "two words first  ") {
		t.Errorf("the gate was asked %q", lines)
	}
}

// USR1 makes a run wait behind its batch, with its lock; USR2 lets it go on.
func TestApplyPause(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	cmd := child(t.Context(), "apply", m.plan, "--format", "json", "--rate", "1000")
	reader, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := follow(reader)
	await := func(part string) {
		t.Helper()
		for line := range lines {
			if strings.Contains(line, part) {
				return
			}
		}
		t.Fatalf("no line with %s\n%s", part, errs.String())
	}
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	await(`"type":"batch"`)
	for range 2 {
		signal(syscall.SIGUSR1)
		await(`"type":"pause","paused":true`)
		if r := mfabridge(t, "apply", m.plan); r.code != exitNotNow || !strings.Contains(r.err, "hint: wait until it has ended") {
			t.Errorf("another run while the first waits: exit code %d, %s", r.code, r.err)
		}
		signal(syscall.SIGUSR2)
		await(`"type":"pause","paused":false`)
	}
	await(`"type":"summary"`)
	if err := cmd.Wait(); err != nil || !strings.Contains(errs.String(), "going on") {
		t.Errorf("%v: %s", err, errs.String())
	}
	m.goesOn(t)
}

// follow reads lines as they come.
func follow(r io.Reader) <-chan string {
	lines := make(chan string, 1<<16)
	go func() {
		defer close(lines)
		dec := json.NewDecoder(r)
		for {
			var line json.RawMessage
			if dec.Decode(&line) != nil {
				return
			}
			lines <- string(line)
		}
	}()
	return lines
}

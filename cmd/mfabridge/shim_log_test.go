package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/shim/config"
)

// disk takes lines, unless it is full.
type disk struct {
	full bool
	kept bytes.Buffer
}

func (d *disk) Write(lines []byte) (int, error) {
	if d.full {
		return 0, syscall.ENOSPC
	}
	return d.kept.Write(lines)
}

// Events that are lost are told where they still can be, once a minute however
// many they are, and so is that they are kept again.
func TestLostEventsAreTold(t *testing.T) {
	var said bytes.Buffer
	var d disk
	now := time.Unix(2_000_000_000, 0)
	k := &keeping{w: &d, log: slog.New(slog.NewTextHandler(&said, nil)), now: func() time.Time { return now }}
	for _, step := range []struct {
		full  bool
		later time.Duration
		lines string
		told  string // what is said of it; "": nothing
	}{
		{false, 0, "a\n", ""},
		{true, 0, "b\nc\n", "cannot be kept"},
		{true, time.Second, "d\n", ""},
		{false, time.Second, "e\n", ""},
		{true, time.Second, "f\n", ""}, // a disk with room for a short line now and then
		{true, time.Minute, "g\n", "lost=5"},
		{false, time.Minute, "h\n", "kept again"},
		{false, time.Hour, "i\n", ""},
		{true, -2 * time.Hour, "j\n", "lost=1"}, // the clock was set back
	} {
		d.full, now = step.full, now.Add(step.later)
		said.Reset()
		if _, err := k.Write([]byte(step.lines)); (err != nil) != step.full {
			t.Errorf("%q: %v", step.lines, err)
		}
		if (said.Len() > 0) != (step.told != "") || !strings.Contains(said.String(), step.told) {
			t.Errorf("%q: said %q", step.lines, said.String())
		}
	}
	if got := d.kept.String(); got != "a\ne\nh\ni\n" {
		t.Errorf("kept: %q", got)
	}
}

// The shim's log is such a one: a file stands where its folder for events was.
func TestShimTellsOfLostEvents(t *testing.T) {
	data := t.TempDir()
	var said bytes.Buffer
	p := &program{streams: streams{out: &said, err: &said}, now: time.Now}
	end, log, err := p.shimLog(&config.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	folder := eventFolder(data)
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	log.Info("a login")
	if err := end(); err == nil {
		t.Error("an event was lost, and the end of the log says nothing")
	}
	for _, line := range []string{`"a login"`, `"level":"ERROR","msg":"events cannot be kept`} {
		if !strings.Contains(said.String(), line) {
			t.Errorf("not said: %s, but\n%s", line, said.String())
		}
	}
}

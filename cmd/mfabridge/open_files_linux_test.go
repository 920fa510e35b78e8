package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConnectionsForWhatMayBeOpen(t *testing.T) {
	for _, c := range []struct{ files, parts, listeners, wanted, each int }{
		{0, 1, 1, 65536, 65536}, // nobody knows
		{1024, 1, 1, 256, 256},
		{1024, 1, 1, 4096, 768},
		{1024, 1, 2, 4096, 384},
		{228, 1, 1, 4096, 100},
		{1024, 2, 2, 4096, 192},
		{16384, 1, 3, 4096, 4096},
		{1 << 30, 1, 1, 65536, 65536},
		{8, 2, 4, 16, 1},
		{1, 1, 0, 16, 1},
	} {
		if each := connectionsFor(c.files, c.parts, c.listeners, c.wanted); each != c.each {
			t.Errorf("%+v: each has %d", c, each)
		}
	}
}

// Who may have few files open takes few connections, so that those who connect
// and say nothing leave the store, directories and the log what they need.
func TestConnectionsLeaveFilesForTheRest(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: min(1000, before.Max), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	m, said := moved(t), new(record)
	cert, key := certify(t, m.folder, 9)
	m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n  ops: {listen: \"127.0.0.1:0\"}\n")
	over := fmt.Sprintf("radius:\n  radsec: {listen: [\"127.0.0.1:0\"], cert: %s, key: %s, ca: %s, max_connections: 4096}\n", cert, key, cert)
	beside := strings.NewReplacer("store: sqlite:cloud.db", "config: engine.yaml", "radius:\n", over).Replace(radclientYAML)
	path := m.write(t, "shim.yaml", beside)
	p := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: said}, now: time.Now}
	parts, err := p.loadShim(t.Context(), path, "", p.shimEngine)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.listen(parts)
	if err != nil {
		t.Fatal(err)
	}
	inside := parts.engine.(*servedEngine)
	if got := [...]int{parts.config.RADIUS.RadSec.MaxConnections, inside.group.Connections, inside.ops.Connections}; got != [...]int{375, 187, 187} {
		t.Errorf("of 1000 files RadSec takes %d, the engine at each of two listeners %d and %d", got[0], got[1], got[2])
	}
	// So does a reload.
	m.write(t, "shim.yaml", strings.Replace(beside, "max_connections: 4096", "max_connections: 376", 1))
	if err := (&swapper{p: p, path: path, parts: parts, ports: all}).swap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := parts.config.RADIUS.RadSec.MaxConnections; got != 375 {
		t.Errorf("after a reload RadSec takes %d", got)
	}
	if err := errors.Join(closeAll(all.open), parts.Close()); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"fewer RadSec connections are taken", "than limits.connections says", `"open_files":1000`} {
		if !strings.Contains(said.String(), line) {
			t.Errorf("nobody says %q:\n%s", line, said.String())
		}
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	engineconfig "mfabridge/cloud/engine/config"
	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/shim"
)

// away are primaries whose servers do not answer.
func away(t *testing.T, names ...string) *primaries {
	t.Helper()
	p := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, now: time.Now}
	made := newPrimaries()
	for _, name := range names {
		c := &firstfactor.Primary{URLs: []string{ldaptest.Dead(t)}, BaseDN: "dc=corp,dc=example", Patience: time.Second, Failures: 3, Window: time.Minute}
		if err := made.bind(name, c, &firstfactor.Usernames{}, p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := made.close(); err != nil {
			t.Error(err)
		}
	})
	return made
}

// A shim or an engine that is stopped while it asks takes nothing: what nobody
// was asked about is not merely away.
func TestReloadThatIsCutShortTakesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	loses := func(context.Context, string) string { return "" }
	for _, first := range []*primaries{away(t, "corp"), newPrimaries()} {
		if err := first.takeable(ctx, slog.New(slog.DiscardHandler), loses); !errors.Is(err, context.Canceled) {
			t.Errorf("%d primaries: %v", len(first.byName), err)
		}
	}
}

// However many primaries are away, who would lose by it is asked at once: a
// reload asks for twenty seconds at the most.
func TestReloadAsksAtOnceWhoWouldLose(t *testing.T) {
	first := away(t, "corp", "old", "third")
	var all sync.WaitGroup
	all.Add(len(first.byName))
	loses := func(ctx context.Context, name string) string {
		all.Done()
		met := make(chan struct{})
		go func() { all.Wait(); close(met) }()
		select {
		case <-met:
			return "client " + name + " would lose"
		case <-time.After(10 * time.Second):
			return "nobody else is asked meanwhile"
		}
	}
	err := first.takeable(t.Context(), slog.New(slog.DiscardHandler), loses)
	for name := range first.byName {
		if err == nil || !strings.Contains(err.Error(), "client "+name+" would lose") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// there is a primary that answers, or does not.
type there struct {
	shim.Primary
	err error
}

func (p there) Ready(context.Context) error { return p.err }

// An engine whose people sign in by somebody who can be asked does not have them
// sign in by somebody who cannot.
func TestEngineKeepsWhomPeopleSignInBy(t *testing.T) {
	up, down := there{}, there{err: errors.New("away")}
	for name, c := range map[string]struct {
		primaries    map[string]shim.Primary
		before, next string
		want         string
	}{
		"the same, which is there":        {map[string]shim.Primary{"corp": up}, "corp", "corp", "its servers of before"},
		"the same, which is away":         {map[string]shim.Primary{"corp": down}, "corp", "corp", ""},
		"new, and asked for by name":      {map[string]shim.Primary{"old": up}, "old", "old", ""},
		"new, for one that is there":      {map[string]shim.Primary{"old": up}, "old", "corp", "people sign in by old now"},
		"new, for one that is away":       {map[string]shim.Primary{"old": down}, "old", "corp", ""},
		"new, for the engine":             {nil, engine.OwnPasswords, "corp", "people sign in by engine now"},
		"away, for one that is there":     {map[string]shim.Primary{"old": up, "corp": down}, "old", "corp", "people sign in by old now"},
		"away, with nobody signing in so": {map[string]shim.Primary{"corp": down}, engine.OwnPasswords, engine.OwnPasswords, ""},
	} {
		s := &engineServer{primaries: &primaries{byName: c.primaries}, conf: &engineconfig.Config{SignIn: c.before}}
		if got := s.loses(t.Context(), &engineconfig.Config{SignIn: c.next}, "corp"); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
